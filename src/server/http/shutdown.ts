import type { Server } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';

/**
 * How long streams stay open while a POST to the upstream is in progress: their clients want to see its outcome. The
 * process is stopped before a POST that hangs ends, and every client must get the signal to reconnect before that.
 */
const maxDrainMs = 4_000;

/** Time limit for responses that are being written after that. */
const maxCloseMs = 2_000;

/** Waits for the drain, up to `maxDrainMs`, then signals every client to reconnect and closes its connection. */
export async function closeConnections(
  server: Server,
  parts: {
    drained: Promise<void>;
    /** Called one after the other. Each resolves when the clients of one transport have the signal to reconnect. */
    shutdownSteps: readonly (() => unknown)[];
  },
): Promise<void> {
  await waitAtMost(maxDrainMs, parts.drained);
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  for (const step of parts.shutdownSteps) await step();
  await parts.drained;
  server.closeIdleConnections();
  await waitAtMost(maxCloseMs, closed);
  server.closeAllConnections();
  await closed;
}

function waitAtMost(ms: number, work: Promise<void>): Promise<void> {
  return Promise.race([work, wait(ms, undefined, { ref: false })]);
}
