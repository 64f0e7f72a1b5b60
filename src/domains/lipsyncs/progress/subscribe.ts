import { isUuid } from '../../../database/uuid.ts';
import { InvalidInputError, NotFoundError } from '../../../errors.ts';
import type { Engine } from '../dependencies.ts';
import { findOwn } from '../history.ts';
import { findLipsync, type Lipsync } from '../store/lipsyncs.ts';
import { decodeCursor } from './cursor.ts';
import { type ListCursors, listCursorsOf } from './list-cursor.ts';
import type { Places, Progress, Watch } from './log-watcher.ts';

/** As many as a page has, and as many ids as the URL of an `EventSource` may have beside its cursor. */
const mostWatched = 100;

type Events = AsyncIterableIterator<Progress>;

/** @throws InvalidInputError where the cursor is none of this lip-sync's. */
export async function followLipsync(
  engine: Engine,
  watch: Watch,
  { lipsync, cursor }: { lipsync: Lipsync; cursor: string | null },
): Promise<Events> {
  const after = cursor === null ? null : decodeCursor(lipsync.id, cursor);
  const current = await findLipsync(engine.db, lipsync.id);
  if (cursor !== null && (after === null || after > (current?.sequence ?? 0))) {
    throw invalid('after', 'The cursor is none of this lip-sync.');
  }
  return watch.follow(lipsync.id, after);
}

/** `keys` of lip-syncs, null for an id that is none. */
export type ListRequest = {
  owner: string;
  keys: readonly (string | null)[];
  cursor: string | null;
};

/**
 * The logs of a list of lip-syncs as one, with cursors of their own. Without a cursor each of them must be there. With
 * one, those that were erased since it was given out are over, as they are for whoever stayed.
 *
 * @throws NotFoundError, InvalidInputError
 */
export async function followLipsyncs(
  engine: Engine,
  watch: Watch,
  { owner, keys, cursor }: ListRequest,
): Promise<Events> {
  if (keys.length === 0 || keys.length > mostWatched) {
    throw invalid('ids', `ids names 1 to ${mostWatched} lip-syncs.`);
  }
  const found = await findOwn(
    engine.db,
    owner,
    keys.map((key) => key ?? ''),
  );
  const own = new Map(found.flatMap((each) => (each === null ? [] : [[each.id, each]])));
  const mayBeErased = cursor !== null && own.size > 0;
  const missing = keys.findIndex(
    (key) => key === null || !(own.has(key) || (mayBeErased && isUuid(key))),
  );
  if (missing >= 0) throw new NotFoundError(`The lip-sync at ids[${missing}]`);

  const ids = [...new Set(keys)] as string[];
  const cursors = listCursorsOf(ids);
  const places = cursor === null ? null : readPlaces(cursors, cursor, own);
  // Only its own are watched: who made up the cursor may have named any others.
  const starts = new Map([...own.keys()].map((id) => [id, places?.get(id) ?? null]));
  return watch.followAll(starts, (told) => cursors.encode(new Map([...(places ?? []), ...told])));
}

function readPlaces(
  cursors: ListCursors,
  cursor: string,
  own: ReadonlyMap<string, Lipsync>,
): Places {
  const places = cursors.decode(cursor);
  const isReached = [...own].every(([id, { sequence }]) => (places?.get(id) ?? 0) <= sequence);
  if (places === null || !isReached) throw invalid('after', 'The cursor is none of this list.');
  return places;
}

function invalid(field: string, message: string): InvalidInputError {
  return new InvalidInputError([{ path: [field], message }]);
}
