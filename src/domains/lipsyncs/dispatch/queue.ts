import type { Sql } from '../../../database/connect.ts';
import { later } from '../dependencies.ts';
import { type Lipsync, selectLipsyncs } from '../store/lipsyncs.ts';

/** Told when a slot, an account or a place may have become free; the payload is empty. */
export const queueChannel = 'queue_changed';

/** Any number that nothing else in this database locks on. */
const queueLock = 7_254_110;

/**
 * Every decision about room is taken under one lock: limits stay exact when a hundred ask at once, on any number of
 * instances, and the order of the queue is the order of the commits. Such a transaction takes milliseconds.
 */
export async function lockQueue(tx: Sql): Promise<void> {
  await tx.query('select pg_advisory_xact_lock($1)', [queueLock]);
}

/** The number of a claim. They go by these and not by the time, as the clocks of two instances differ. */
export async function takeTurn(tx: Sql): Promise<number> {
  const [row] = await tx.query<{ turn: number }>("select nextval('turns') as turn");
  if (row === undefined) throw new Error('A sequence gave no number.');
  return row.turn;
}

export async function notifyQueue(tx: Sql): Promise<void> {
  await tx.query("select pg_notify($1, '')", [queueChannel]);
}

/** Where a lip-sync could be sent now: open accounts with the number of jobs each holds. */
export type Room = {
  accountId: string;
  email: string;
  maxJobs: number;
  holding: number;
  /** Places that jobs of others take, where the upstream told so lately. */
  others: number;
  /** Whether the upstream still lists the account. */
  isPresent: boolean;
  hasPendingError: boolean;
};

/**
 * Assumed of an account that does not say how many jobs it takes. The upstream's own examples use 3; when it is
 * too many the upstream says so with a 429, and the job waits.
 */
export const assumedMaxJobs = 3;

/** For how long it is believed what others run: they end and begin without a word to us. */
const othersMs = 60_000;

/**
 * An account that was busy is tried with one POST when its time is over, and gets more once it took one. Were as many
 * sent as it may hold, some would be taken past the one that was first in line and is refused again.
 */
export async function readRooms(tx: Sql, now: Date): Promise<Room[]> {
  return tx.query<Room>(
    `select a.id as "accountId", a.email, coalesce(a.max_jobs, ${assumedMaxJobs}) as "maxJobs",
       a.is_present as "isPresent", a.has_pending_error as "hasPendingError",
       (select count(*)::int from lipsyncs l where l.account_id = a.id and l.holds_slot) as holding,
       case when a.others_at > $2 then a.others else 0 end as others
     from accounts a
     where a.paused_by is null and (a.cooldown_until is null or a.cooldown_until <= $1 and not exists (
       select 1 from lipsyncs l where l.account_id = a.id and l.status = 'SUBMITTING'
         and l.outcome_unknown_at is null))
     order by a.id`,
    [now, later(now, -othersMs)],
  );
}

/**
 * Whether there may be anything to send: a look without the lock. Where all is full, which is when most is asked for,
 * nobody else's decision waits for that to be found out.
 */
export async function mayHaveRoom(sql: Sql, now: Date): Promise<boolean> {
  const rooms = await readRooms(sql, now);
  if (rooms.length === 0) return false;
  const hasPlace = rooms.some((room) => room.holding + room.others < room.maxJobs);
  const waiting = await sql.query(
    "select 1 from lipsyncs where status = 'QUEUED' and (off_peak or $1) limit 1",
    [hasPlace],
  );
  return waiting.length > 0;
}

/** What decides where one may be sent. */
type Need = Pick<Lipsync, 'offPeak' | 'maxJobs' | 'accountId'>;

/** An off-peak job is not tracked by the upstream's scheduler and takes no slot. */
export function hasRoomFor(room: Room, job: Need): boolean {
  if (job.accountId === null ? !room.isPresent : job.accountId !== room.accountId) return false;
  if (job.offPeak) return true;
  return room.holding + room.others < Math.min(room.maxJobs, job.maxJobs ?? room.maxJobs);
}

/** The account with most room that can take the job now. Those known to be in trouble come last. */
export function chooseRoom(rooms: readonly Room[], job: Need): Room | null {
  const fitting = rooms.filter((room) => hasRoomFor(room, job));
  const free = (room: Room) => room.maxJobs - room.holding - room.others;
  return (
    fitting.toSorted(
      (a, b) => Number(a.hasPendingError) - Number(b.hasPendingError) || free(b) - free(a),
    )[0] ?? null
  );
}

/**
 * The first waiting lip-sync of each owner and kind of need, the fairest first: the owner with the fewest jobs under
 * way, then the one served longest ago. A thousand jobs of one owner so delay another's first by one job a slot. What is
 * off-peak has turns of its own, and erasing what has ended gives no turn back.
 */
export async function readNextOfEachOwner(
  tx: Sql,
  now: Date,
): Promise<(Need & Pick<Lipsync, 'id'>)[]> {
  return tx.query(
    `with firsts as (
       select distinct on (owner, account_id, off_peak, max_jobs)
         id, owner, account_id, off_peak, max_jobs, queue_order
       from lipsyncs
       where status = 'QUEUED' and (not_before is null or not_before <= $1)
         and (expires_at is null or expires_at > $1)
       order by owner, account_id, off_peak, max_jobs, queue_order
     ), running as (
       select owner, count(*) as under_way from lipsyncs where holds_slot group by owner
     ), served as (
       select owner, off_peak, greatest(
         (select max(turn) from lipsyncs own
          where own.owner = waiting.owner and own.off_peak = waiting.off_peak),
         (select max(turn) from erasures own
          where own.owner = waiting.owner and own.off_peak = waiting.off_peak)) as last_turn
       from (select distinct owner, off_peak from firsts) waiting
     )
     select id, account_id as "accountId", off_peak as "offPeak", max_jobs as "maxJobs"
     from firsts join served using (owner, off_peak) left join running using (owner)
     order by coalesce(under_way, 0), last_turn nulls first, queue_order`,
    [now],
  );
}

/** One that waits, under lock; null where it waits no more. */
export async function lockWaiting(tx: Sql, id: string): Promise<Lipsync | null> {
  const [found] = await selectLipsyncs(
    tx,
    "where id = $1 and status = 'QUEUED' for update skip locked",
    [id],
  );
  return found ?? null;
}

export async function countWaiting(tx: Sql): Promise<number> {
  const [row] = await tx.query<{ n: number }>(
    "select count(*)::int as n from lipsyncs where status = 'QUEUED'",
  );
  return row?.n ?? 0;
}

/**
 * Whether one that waits could take this room now: a newcomer does not overtake it. One that could not, since it is
 * bound to another account or asks for a calmer one, holds nobody up.
 */
export async function isRoomAwaited(
  tx: Sql,
  room: Room,
  { offPeak, now }: { offPeak: boolean; now: Date },
): Promise<boolean> {
  const firsts = await readNextOfEachOwner(tx, now);
  return firsts.some((waiting) => waiting.offPeak === offPeak && hasRoomFor(room, waiting));
}
