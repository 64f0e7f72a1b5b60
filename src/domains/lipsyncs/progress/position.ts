import type { Sql } from '../../../database/connect.ts';
import { GroupedWork } from '../../../database/grouped.ts';
import type { Lipsync } from '../store/lipsyncs.ts';
import { readPositions } from '../store/positions.ts';

/** Reads positions for the answers of all callers, many with one statement. */
export function createPositionReader(sql: Sql) {
  const known = new WeakMap<Lipsync, number>();
  const groups = new GroupedWork(async (ids: readonly string[]) => {
    const positions = await readPositions(sql, ids);
    return ids.map((id) => positions.get(id) ?? null);
  });
  return {
    /** For the row of a lip-sync that was queued just now: reading its position again would count the owner's queue. */
    remember(lipsync: Lipsync): void {
      if (lipsync.loggedPosition !== null) known.set(lipsync, lipsync.loggedPosition);
    },
    /** Among the owner's waiting lip-syncs, 1 = next. Null if it does not wait. */
    async read(lipsync: Lipsync): Promise<number | null> {
      if (lipsync.status !== 'QUEUED' || lipsync.isAwaitingFile) return null;
      return known.get(lipsync) ?? groups.run(lipsync.id);
    },
  };
}
