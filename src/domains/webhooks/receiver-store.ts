import type { Sql } from '../../database/connect.ts';
import type { Delivery } from './store.ts';

/** The host is null if the database finds none in a URL that an earlier version accepted. Such a receiver has no row. */
type Receiver = Pick<Delivery, 'owner' | 'host'>;

export async function recordSuccess(tx: Sql, receiver: Receiver, at: Date): Promise<void> {
  await tx.query(
    `insert into webhook_receivers (owner, host, failures, updated_at)
     select $1, $2::text, 0, $3 where $2::text is not null
     on conflict (owner, host) do update
     set failures = 0, failed_delivery_id = null, paused_until = null, updated_at = $3`,
    [receiver.owner, receiver.host, at],
  );
}

/**
 * Counts a failed delivery. From `failuresBeforePause` deliveries in a row the receiver is paused: for one second, and for
 * twice as long after each further one, up to `maxPauseSeconds`.
 */
export async function recordFailure(
  tx: Sql,
  delivery: Receiver & Pick<Delivery, 'id'>,
  rule: { at: Date; failuresBeforePause: number; maxPauseSeconds: number },
): Promise<void> {
  await tx.query(
    `insert into webhook_receivers as receiver (owner, host, failures, failed_delivery_id, updated_at)
     select $1, $2::text, 1, $3, $4::timestamptz where $2::text is not null
     on conflict (owner, host) do update
     set failures = receiver.failures + 1, failed_delivery_id = $3, updated_at = $4::timestamptz,
       paused_until = case when receiver.failures + 1 >= $5::int then $4::timestamptz
         + make_interval(secs => least($6::int, power(2, least(receiver.failures + 1 - $5::int, 30)))) end
     where receiver.failed_delivery_id is distinct from $3`,
    [
      delivery.owner,
      delivery.host,
      delivery.id,
      rule.at,
      rule.failuresBeforePause,
      rule.maxPauseSeconds,
    ],
  );
}

export async function endPause(tx: Sql, receiver: Receiver): Promise<void> {
  await tx.query(
    'update webhook_receivers set paused_until = null where owner = $1 and host = $2',
    [receiver.owner, receiver.host],
  );
}

export async function deleteReceiversBefore(sql: Sql, moment: Date): Promise<void> {
  await sql.query('delete from webhook_receivers where updated_at < $1', [moment]);
}

export async function deleteReceiversOf(tx: Sql, owner: string): Promise<number> {
  const text = 'delete from webhook_receivers where owner = $1 returning host';
  return (await tx.query(text, [owner])).length;
}
