import { maxTimerMs } from '../back-off.ts';
import type { ExecutionResult } from '../result.ts';
import type { LipsyncServer, Operation } from '../server.ts';

/** The receiver of a stream. After `complete`, `disconnect` or `refuse` nothing more arrives. */
export type Sink = {
  next(result: ExecutionResult): void;
  /** No event, but the connection is alive. */
  heartbeat(): void;
  /** How long the server asks to wait before a reconnect. */
  retryAfter(ms: number): void;
  /** The server has sent everything. */
  complete(): void;
  /** The connection is lost or silent for too long. A new connection may succeed. */
  disconnect(error: unknown): void;
  /** The server refused the stream. A new connection would not help. */
  refuse(error: Error): void;
};

/**
 * Opens one stream and returns a function that closes it immediately. It does not retry: `watchLipsync` does.
 */
export type Transport = (server: LipsyncServer, operation: Operation, sink: Sink) => () => void;

/** Two and a half times the server's heartbeat interval of 12 seconds. */
export const defaultSilenceMs = 30_000;

/** How many times the watchdog checks the clock within the permitted silence. */
const checksPerSilence = 6;

/**
 * Calls `onSilence` once when `reset` has not been called for `ms`, by the wall clock. Timers stop while a computer
 * sleeps: one timer for the whole time would detect a dead connection only `ms` after waking up, several short timers
 * detect it soon after.
 */
export function createWatchdog(ms: number, onSilence: () => void) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let resetAt = 0;
  const stop = () => clearTimeout(timer);
  const check = () => {
    const leftMs = resetAt + ms - Date.now();
    if (leftMs <= 0) onSilence();
    else timer = setTimeout(check, Math.min(leftMs, ms / checksPerSilence, maxTimerMs));
  };
  return {
    reset() {
      stop();
      resetAt = Date.now();
      check();
    },
    stop,
  };
}
