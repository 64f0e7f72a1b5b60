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

/** Calls `onSilence` once, when it has not been touched for that long. */
export function createWatchdog(ms: number, onSilence: () => void) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = () => clearTimeout(timer);
  return {
    touch() {
      stop();
      timer = setTimeout(onSilence, ms);
    },
    stop,
  };
}
