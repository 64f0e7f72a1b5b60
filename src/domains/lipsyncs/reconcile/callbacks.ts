import { setTimeout as wait } from 'node:timers/promises';
import { isUuid } from '../../../database/uuid.ts';
import type { Engine } from '../dependencies.ts';
import { lookAtLipsync } from './find-job.ts';

/** A lip-sync is read again at most this often, however often its callback comes. */
const lookEveryMs = 1_000;

/** More candidates than this no honest upstream names for one POST. */
const mostHints = 8;

/** No database takes U+0000, and a body that holds one must not cost the look. */
function isPlausibleId(text: string): boolean {
  return text.length <= 512 && !text.includes('\0');
}

/**
 * Turns callbacks into looks. Each lip-sync is read at most once a second: what comes within that second shares one
 * more look at its end, so that the last callback of a burst is never lost.
 */
export function createListener(engine: Engine) {
  const looks = new Map<string, { isWanted: boolean; done: Promise<void> }>();
  const closing = new AbortController();

  async function lookUntilQuiet(id: string, look: { isWanted: boolean }): Promise<void> {
    try {
      while (look.isWanted && !closing.signal.aborted) {
        look.isWanted = false;
        await lookAtLipsync(engine, id, 'CALLBACK');
        await wait(lookEveryMs, undefined, { signal: closing.signal, ref: false });
      }
    } catch (error) {
      if (!closing.signal.aborted) {
        engine.log.error({ err: error, lipsyncId: id }, 'the look after a callback broke off');
      }
    } finally {
      looks.delete(id);
    }
  }

  return {
    /** `claimedVideoId` is what the callback's body says; it is kept only while we don't know the id ourselves. */
    async onCallback(id: string, claimedVideoId: string | null): Promise<void> {
      if (!isUuid(id) || closing.signal.aborted) return;
      if (claimedVideoId !== null && isPlausibleId(claimedVideoId)) {
        await engine.db.query(
          `update lipsyncs set hinted_video_ids = array_append(hinted_video_ids, $2)
           where id = $1 and upstream_video_id is null and post_started_at is not null
             and not ($2 = any(hinted_video_ids)) and cardinality(hinted_video_ids) < ${mostHints}`,
          [id, claimedVideoId],
        );
      }
      const running = looks.get(id);
      if (running !== undefined) {
        running.isWanted = true;
        return;
      }
      const look = { isWanted: true, done: Promise.resolve() };
      looks.set(id, look);
      look.done = lookUntilQuiet(id, look);
    },
    async close(): Promise<void> {
      closing.abort();
      await Promise.allSettled([...looks.values()].map(({ done }) => done));
    },
  };
}
