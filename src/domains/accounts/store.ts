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
    [],
    { isPrepared: true },
  );
}

export async function readByIds(sql: Sql, ids: readonly string[]): Promise<Account[]> {
  return sql.query<Account>(`select ${columns} from accounts where id = any($1::text[])`, [ids]);
}

/**
 * Stores the upstream's list: inserts new accounts with their `freshId`, and marks unlisted accounts as not present. Writes
 * nothing for an account that has not changed: under load the list is read every few seconds. An e-mail is stored as it is
 * spelled in this list.
 */
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
  const emails = listed.map(({ email }) => email);
  return db.transaction(async (tx) => {
    await adoptSpellings(tx, emails);
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
         where (accounts.is_present, accounts.max_jobs, accounts.has_pending_error) is distinct from
           (true, coalesce(excluded.max_jobs, accounts.max_jobs), excluded.has_pending_error)
       )
       update accounts set is_present = false where is_present and email <> all($2::text[])`,
      [JSON.stringify(rows), emails],
    );
    return readPresent(tx);
  });
}

/** Rows whose e-mail differs from a listed one in capital letters only, and that e-mail. One for each listed account. */
const otherSpellings = `select distinct on (lower(listed.email)) accounts.id, listed.email
  from unnest($1::text[]) as listed (email)
    join accounts on lower(accounts.email) = lower(listed.email)
  where accounts.email <> all($1::text[])
    and not exists (select 1 from accounts exact where exact.email = listed.email)
  order by lower(listed.email), accounts.created_at, accounts.id, listed.email`;

/** A video id can name an account before the list does, with other capital letters. The account keeps this one row. */
async function adoptSpellings(tx: Sql, emails: readonly string[]): Promise<void> {
  if ((await tx.query(otherSpellings, [emails])).length === 0) return;
  // Before any row is locked, and alone: else two instances could deadlock, or store the same spelling twice.
  await tx.query('lock table accounts in share row exclusive mode');
  await tx.query(
    `update accounts set email = other.email from (${otherSpellings}) other
     where accounts.id = other.id`,
    [emails],
  );
}

/**
 * The account with this e-mail, without regard to capital letters: in video ids they can differ from those in the upstream's
 * list. An unknown e-mail is inserted as not present.
 */
export async function findOrInsertByEmail(
  sql: Sql,
  fresh: { id: string; email: string },
): Promise<Account | null> {
  const find = () =>
    sql.query<Account>(
      `select ${columns} from accounts where lower(email) = lower($1)
       order by is_present desc, email = $1 desc, created_at, id limit 1`,
      [fresh.email],
    );
  const [found] = await find();
  if (found !== undefined) return found;
  await sql.query(
    `insert into accounts (id, email, is_present) values ($1, $2, false)
     on conflict (email) do nothing`,
    [fresh.id, fresh.email],
  );
  return (await find())[0] ?? null;
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
  await sql.query(
    'update accounts set others = $2, others_at = $3 where lower(email) = lower($1)',
    [reading.email, reading.count, reading.at],
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
    { isPrepared: true },
  );
}
