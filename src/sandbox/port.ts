import type { RequestListener, Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A loopback port that can be closed for a while. */
export type Port = {
  number: number;
  /** Cuts every connection and refuses new ones. The same call during an outage has no effect. */
  startOutage(ms: number): void;
  /** Cuts every connection. */
  close(): Promise<void>;
};

const REOPEN_RETRY_MS = 100;

/** Listens on 127.0.0.1. Throws when the port is taken. */
export async function openPort(wanted: number, listener: RequestListener): Promise<Port> {
  // An upload may take any time.
  const server = createServer({ requestTimeout: 0, keepAliveTimeout: 60_000 }, listener);
  await listen(server, wanted);
  const { port } = server.address() as AddressInfo;
  let reopening: NodeJS.Timeout | undefined;
  let isClosed = false;

  const shut = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  };

  /** Another process may have taken the port meanwhile, so this is retried. */
  const reopenIn = (ms: number) => {
    reopening = setTimeout(() => {
      listen(server, port).then(
        () => {
          reopening = undefined;
          if (isClosed) void shut();
        },
        () => {
          if (!isClosed) reopenIn(REOPEN_RETRY_MS);
        },
      );
    }, ms);
  };

  return {
    number: port,
    startOutage(ms) {
      if (reopening !== undefined || isClosed) return;
      reopenIn(ms);
      void shut();
    },
    async close() {
      isClosed = true;
      clearTimeout(reopening);
      await shut();
    },
  };
}

async function listen(server: Server, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
}
