import type { Server } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';

/**
 * How long streams are kept for a POST that is not answered. Whoever waits for it on one of them would rather have its
 * answer; but the process ends before a POST that hangs does, and until then all must have been told to come back.
 */
const mostSilenceMs = 4_000;

/** How long an answer that is being written may take when the process stops. */
const patienceMs = 2_000;

/** Once what runs has finished, or is waited for too long, tells every client to come back, and ends its connection. */
export async function endConnections(
  server: Server,
  parts: {
    drained: Promise<void>;
    /** Each resolves once the clients of its kind have been told. In this order. */
    farewells: readonly (() => unknown)[];
  },
): Promise<void> {
  await atMost(mostSilenceMs, parts.drained);
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  for (const tell of parts.farewells) await tell();
  await parts.drained;
  server.closeIdleConnections();
  await atMost(patienceMs, closed);
  server.closeAllConnections();
  await closed;
}

function atMost(ms: number, work: Promise<void>): Promise<void> {
  return Promise.race([work, wait(ms, undefined, { ref: false })]);
}
