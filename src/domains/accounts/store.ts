import type { Database, Sql } from '../../database/connect.ts';
import type { FailureCode } from '../../errors.ts';
import type { UpstreamAccount } from './endpoints.ts';

export type Account = {
  /** 12 random characters. Permanent: a row is never deleted. */
  id: string;
  email: string;
  /** Null where the upstream does not report it. */
  maxJobs: number | null;
  /** Whether the upstream still lists it. */
  isPresent: boolean;
  /** From the upstream's list: the account responds with 596 until it is reconnected. */
  hasPendingError: boolean;
  /** The failure that paused the account, so that nothing is sent to it; null = open. */
  pausedBy: FailureCode | null;
  /** Nothing is sent before this time, because the account was busy. */
  cooldownUntil: Date | null;
  /** Slots that jobs of other clients take. Read from the upstream while a lip-sync waits. */
  externalLoad: number;
};

/** A paused account whose probe this instance has claimed. */
export type Probe = { id: string; email: string; pausedBy: FailureCode; probedAt: Date };

/** What decides whether jobs can be sent to an account now. */
export type AccountAvailability = Pick<
  Account,
  'id' | 'email' | 'maxJobs' | 'isPresent' | 'hasPendingError' | 'cooldownUntil'
> & {
  isPaused: boolean;
  /** Paused because its credits were read and none were left. */
  isSpent: boolean;
  /** Slots that jobs of other clients take; 0 where the last reading is older than a minute. */
  externalLoad: number;
  /** The credits of the last reading without those of jobs that were accepted since it began. Null = not known. */
  credits: number | null;
  /** When that reading began. */
  creditsAt: Date | null;
};

/** Other clients' jobs end and begin without notice, so a reading is used only this long. */
const externalLoadMs = 60_000;

export type AccountLoad = { id: string; inFlight: number; waiting: number };

const columns = `id, email, max_jobs as "maxJobs", is_present as "isPresent",
  has_pending_error as "hasPendingError", paused_by as "pausedBy", cooldown_until as "cooldownUntil",
  others as "externalLoad"`;

export async function readPresent(sql: Sql): Promise<Account[]> {
  return sql.query<Account>(
    `select ${columns} from accounts where is_present order by created_at, email`,
  );
}

export async function readByIds(sql: Sql, ids: readonly string[]): Promise<Account[]> {
  return sql.query<Account>(`select ${columns} from accounts where id = any($1::text[])`, [ids]);
}

/** Stores the upstream's list: inserts new accounts with their `freshId`, and marks unlisted accounts as not present. */
export async function replacePresent(
  db: Database,
  listed: readonly (UpstreamAccount & { freshId: string })[],
): Promise<Account[]> {
  const rows = listed.map(({ freshId, email, maxJobs, pendingError }) => ({
    id: freshId,
    email,
    max_jobs: maxJobs === null ? null : Math.trunc(maxJobs),
    has_pending_error: pendingError,
  }));
  return db.transaction(async (tx) => {
    // Ordered, so that two instances that refresh at once lock the rows in the same order and cannot deadlock.
    await tx.query(
      `with listed as (
         insert into accounts (id, email, max_jobs, has_pending_error)
         select distinct on (email) id, email, max_jobs, has_pending_error from
           jsonb_to_recordset($1::jsonb) as listed
             (id text, email text, max_jobs integer, has_pending_error boolean)
         order by email
         on conflict (email) do update set is_present = true,
           max_jobs = coalesce(excluded.max_jobs, accounts.max_jobs),
           has_pending_error = excluded.has_pending_error
       )
       update accounts set is_present = false where is_present and email <> all($2::text[])`,
      [JSON.stringify(rows), listed.map(({ email }) => email)],
    );
    return readPresent(tx);
  });
}

/** The account with this e-mail. An unknown e-mail is inserted as not present. */
export async function findOrInsertByEmail(
  sql: Sql,
  fresh: { id: string; email: string },
): Promise<Account | null> {
  const find = () =>
    sql.query<Account>(`select ${columns} from accounts where email = $1`, [fresh.email]);
  const [found] = await find();
  if (found !== undefined) return found;
  await sql.query(
    `insert into accounts (id, email, is_present) values ($1, $2, false)
     on conflict (email) do nothing`,
    [fresh.id, fresh.email],
  );
  return (await find())[0] ?? null;
}

/**
 * Probes start after a second, at most once a minute. If the same failure returns within ten minutes after a probe resumed
 * the account, that probe was wrong, so the next probes back off: one minute, then two, up to ten.
 *
 * @returns false if the account was already paused by this failure
 */
export async function pauseAccount(
  tx: Sql,
  id: string,
  pause: { code: FailureCode; at: Date },
): Promise<boolean> {
  const rows = await tx.query(
    `with judged as (
       select id, coalesce(healed_code = $2 and healed_at > $3::timestamptz - interval '10 minutes',
         false) as is_relapse from accounts where id = $1
     )
     update accounts set paused_by = $2, paused_at = $3::timestamptz,
       relapses = case when is_relapse then accounts.relapses + 1 else 0 end,
       probe_at = case when is_relapse
         then $3::timestamptz + least(600, 60 * power(2, least(accounts.relapses, 10)))
           * interval '1 second'
         else greatest($3::timestamptz + interval '1 second',
           accounts.probed_at + interval '60 seconds') end
     from judged where accounts.id = judged.id and paused_by is distinct from $2
     returning accounts.id`,
    [id, pause.code, pause.at],
  );
  return rows.length > 0;
}

/** Pauses an account without credits. Lip-syncs that no other account can take are rejected instead of queued. */
export async function pauseSpent(sql: Sql, id: string, at: Date): Promise<void> {
  await pauseAccount(sql, id, { code: 'INSUFFICIENT_CREDITS', at });
  await sql.query(
    `update accounts set is_spent = true where id = $1 and paused_by = 'INSUFFICIENT_CREDITS'`,
    [id],
  );
}

export async function coolDownAccount(tx: Sql, id: string, until: Date): Promise<void> {
  await tx.query(
    'update accounts set cooldown_until = greatest(cooldown_until, $2::timestamptz) where id = $1',
    [id, until],
  );
}

/** Ends a cooldown that has elapsed; a newer one stays. */
export async function endCooldown(tx: Sql, id: string, at: Date): Promise<void> {
  await tx.query(
    'update accounts set cooldown_until = null where id = $1 and cooldown_until <= $2',
    [id, at],
  );
}

/** True if the external load was last checked before `before`. One statement, so that only one instance gets true. */
export async function claimExternalLoadCheck(
  sql: Sql,
  { before, at }: { before: Date; at: Date },
): Promise<boolean> {
  const rows = await sql.query(
    `update accounts set others_asked_at = $2
     where is_present and (others_asked_at is null or others_asked_at <= $1) returning id`,
    [before, at],
  );
  return rows.length > 0;
}

export async function recordExternalLoad(
  sql: Sql,
  reading: { email: string; count: number; at: Date },
): Promise<void> {
  await sql.query('update accounts set others = $2, others_at = $3 where email = $1', [
    reading.email,
    reading.count,
    reading.at,
  ]);
}

/** The paused accounts whose probe is due. One statement, so that each is claimed by one instance only. */
export async function claimProbes(sql: Sql, now: Date): Promise<Probe[]> {
  return sql.query<Probe>(
    `update accounts set probed_at = $1::timestamptz,
       probe_at = $1::timestamptz + interval '60 seconds'
     where paused_by is not null and probe_at <= $1 and is_present
     returning id, email, paused_by as "pausedBy", probed_at as "probedAt"`,
    [now],
  );
}

/** @returns false if another failure has paused the account since the probe */
export async function resumeAccount(sql: Sql, probe: Probe, now: Date): Promise<boolean> {
  const rows = await sql.query(
    `update accounts set paused_by = null, paused_at = null, probe_at = null, is_spent = false,
       healed_code = $2, healed_at = $3, credits = null, credits_at = null
     where id = $1 and paused_by = $2 returning id`,
    [probe.id, probe.pausedBy, now],
  );
  return rows.length > 0;
}

/** After an operator reconnected the account: clears its pause, its pending error and its history of relapses. */
export async function reopenAccount(sql: Sql, id: string, maxJobs: number): Promise<void> {
  await sql.query(
    `update accounts set paused_by = null, paused_at = null, probe_at = null, healed_code = null,
       healed_at = null, relapses = 0, is_spent = false, has_pending_error = false, is_present = true, max_jobs = $2,
       credits = null, credits_at = null
     where id = $1`,
    [id, maxJobs],
  );
}

export const accountChannel = 'account_changed';

export async function notifyAccountChanged(sql: Sql, payload: string): Promise<void> {
  await sql.query('select pg_notify($1, $2)', [accountChannel, payload]);
}

/** Notified when a slot or an account may have become free, or the queue shorter. The payload is empty. */
export const queueChannel = 'queue_changed';

export async function notifyQueue(sql: Sql): Promise<void> {
  await sql.query("select pg_notify($1, '')", [queueChannel]);
}

/** The load of each account. A queued lip-sync counts only for the account that it is bound to. */
export async function readLoads(sql: Sql, ids: readonly string[]): Promise<AccountLoad[]> {
  return sql.query<AccountLoad>(
    `select account_id as id, in_flight as "inFlight", waiting from account_load
     where account_id = any($1::text[])`,
    [ids],
  );
}

export async function emailOf(sql: Sql, id: string): Promise<string | null> {
  const [row] = await sql.query<{ email: string }>('select email from accounts where id = $1', [
    id,
  ]);
  return row?.email ?? null;
}

/** Every account, also those that the upstream no longer lists: lip-syncs can be bound to them. */
export async function readAvailability(sql: Sql, now: Date): Promise<AccountAvailability[]> {
  return sql.query<AccountAvailability>(
    `select id, email, max_jobs as "maxJobs", is_present as "isPresent",
       has_pending_error as "hasPendingError", cooldown_until as "cooldownUntil",
       paused_by is not null as "isPaused", is_spent as "isSpent",
       case when others_at > $1 then others else 0 end as "externalLoad",
       credits - spent_since as "credits", credits_at as "creditsAt"
     from accounts order by id`,
    [new Date(now.getTime() - externalLoadMs)],
  );
}
