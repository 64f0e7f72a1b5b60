import type { Result } from './answer.ts';
import type { LipsyncServer, Operation } from './server.ts';

/** What a stream tells. After `complete`, `break` and `refuse` it tells nothing more. */
export type Sink = {
  next(result: Result): void;
  /** Nothing happened, but the connection lives. */
  live(): void;
  /** How long the server asks to wait before coming back. */
  retryAfter(ms: number): void;
  /** The server has told everything. */
  complete(): void;
  /** The connection is gone, or silent for too long: a new one may do better. */
  break(error: unknown): void;
  /** No new connection will do better. */
  refuse(error: Error): void;
};

/** Opens one stream, and returns what closes it at once. It makes no second try: that is `watchLipsync`'s. */
export type Transport = (server: LipsyncServer, operation: Operation, sink: Sink) => () => void;

/** Twice and a half of the twelve seconds after which the server says that it is still there. */
export const defaultSilenceMs = 30_000;

/** How much of the silence may pass before it is looked at again. */
const looks = 6;

/**
 * Calls `onSilence` once, when it has not been touched for that long by the clock on the wall. The timers of a computer
 * stand still while it sleeps: one for the whole time would find out what died meanwhile only that long after the
 * waking, many short ones a little after it.
 */
export function createWatchdog(ms: number, onSilence: () => void) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let touchedAt = 0;
  const stop = () => clearTimeout(timer);
  const look = () => {
    const leftMs = touchedAt + ms - Date.now();
    if (leftMs <= 0) onSilence();
    else timer = setTimeout(look, Math.min(leftMs, ms / looks));
  };
  return {
    touch() {
      stop();
      touchedAt = Date.now();
      look();
    },
    stop,
  };
}
