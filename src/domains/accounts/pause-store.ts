import type { Sql } from '../../database/connect.ts';
import type { FailureCode } from '../../errors.ts';

/** A paused account whose probe this instance has claimed. */
export type Probe = {
  id: string;
  email: string;
  /** Whether the upstream listed the account when its list was last read. */
  isPresent: boolean;
  pausedBy: FailureCode;
  pausedAt: Date;
  probedAt: Date;
};

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

/**
 * The paused accounts whose probe is due, also those that the upstream no longer lists: lip-syncs can be bound to them. One
 * statement, so that each is claimed by one instance only.
 */
export async function claimProbes(sql: Sql, now: Date): Promise<Probe[]> {
  return sql.query<Probe>(
    `update accounts set probed_at = $1::timestamptz,
       probe_at = $1::timestamptz + interval '60 seconds'
     where paused_by is not null and probe_at <= $1
     returning id, email, is_present as "isPresent", paused_by as "pausedBy",
       paused_at as "pausedAt", probed_at as "probedAt"`,
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
