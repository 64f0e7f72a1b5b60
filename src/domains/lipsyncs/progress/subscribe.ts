import { isUuid } from '../../../database/uuid.ts';
import { type InputIssueCode, InvalidInputError, NotFoundError } from '../../../errors.ts';
import type { LiveEvents } from '../../../live-events.ts';
import type { LipsyncDependencies } from '../dependencies.ts';
import { findOwnLipsyncs, type Lipsync } from '../store/lipsyncs.ts';
import { decodeCursor, type ListCursors, listCursorsOf, type Sequences } from './cursor.ts';
import type { Progress } from './log-feed.ts';
import type { LogWatcher } from './log-watcher.ts';
import { traceStream } from './spans.ts';

/** As on the largest page. The URL of an `EventSource` has room for this many ids and the cursor. */
const maxSubscribed = 100;

type Events = LiveEvents<Progress>;

/** @throws InvalidInputError if the cursor does not belong to this lip-sync */
export function subscribeToLipsync(
  watcher: LogWatcher,
  { lipsync, cursor }: { lipsync: Lipsync; cursor: string | null },
): Events {
  const after = cursor === null ? null : decodeCursor(lipsync.id, cursor);
  if (cursor !== null && (after === null || after > lipsync.sequence)) {
    throw invalid('after', 'INVALID_CURSOR', 'The cursor does not belong to this lip-sync.');
  }
  return watcher.subscribe(lipsync.id, after);
}

/** `keys`: of lip-syncs; null for an id that could not be decoded. */
export type ListRequest = {
  owner: string;
  keys: readonly (string | null)[];
  cursor: string | null;
};

/**
 * The logs of a list of lip-syncs as one stream with its own cursors. Without a cursor every lip-sync must exist. With a
 * cursor, lip-syncs erased since the cursor was sent count as ended, as they do in a stream that stayed open.
 *
 * @throws NotFoundError, InvalidInputError
 */
export async function subscribeToLipsyncs(
  deps: LipsyncDependencies,
  watcher: LogWatcher,
  { owner, keys, cursor }: ListRequest,
): Promise<Events> {
  if (keys.length === 0 || keys.length > maxSubscribed) {
    const code = keys.length === 0 ? 'REQUIRED' : 'TOO_LONG';
    throw invalid('ids', code, `ids must have 1 to ${maxSubscribed} entries.`);
  }
  const valid = keys.filter((key) => key !== null && isUuid(key)) as string[];
  const found = await findOwnLipsyncs(deps.db, owner, valid);
  const own = new Map(found.map((each) => [each.id, each]));
  const mayBeErased = cursor !== null && own.size > 0;
  const missing = keys.findIndex(
    (key) => key === null || !(own.has(key) || (mayBeErased && isUuid(key))),
  );
  if (missing >= 0) throw new NotFoundError(`The lip-sync at ids[${missing}]`);

  const ids = [...new Set(keys)] as string[];
  const cursors = listCursorsOf(ids);
  const resumed = cursor === null ? null : readCursor(cursors, cursor, own);
  // Only the owner's lip-syncs are watched: a forged cursor may contain any others.
  const starts = new Map([...own.keys()].map((id) => [id, resumed?.get(id) ?? null]));
  // Part of every cursor: what the client had received of lip-syncs that were erased since.
  const erased = new Map([...(resumed ?? [])].filter(([id]) => !own.has(id)));
  const events = watcher.subscribeToMany(
    starts,
    (sent) => cursors.encode(new Map([...erased, ...sent])),
    cursors.encode(erased),
  );
  return traceStream(deps.tracer, events, found);
}

function readCursor(
  cursors: ListCursors,
  cursor: string,
  own: ReadonlyMap<string, Lipsync>,
): Sequences {
  const sequences = cursors.decode(cursor);
  const isReached = [...own].every(([id, { sequence }]) => (sequences?.get(id) ?? 0) <= sequence);
  if (sequences === null || !isReached) {
    throw invalid('after', 'INVALID_CURSOR', 'The cursor does not belong to this list.');
  }
  return sequences;
}

function invalid(field: string, code: InputIssueCode, message: string): InvalidInputError {
  return new InvalidInputError([{ path: [field], message, code }]);
}
