import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

type Pair = [near: Socket, far: Socket];

/**
 * A TCP proxy between a client and a server that can cut connections, drop data, refuse connections and switch to
 * another server. Close it with `await using`.
 *
 * @param target of the server, as `http://127.0.0.1:PORT`
 */
export async function openLine(target: string) {
  const pairs = new Set<Pair>();
  let to = new URL(target);
  let count = 0;
  let isOut = false;
  const waiting = new Set<() => void>();

  const server = createServer((near) => {
    if (isOut) {
      near.resetAndDestroy();
      return;
    }
    // fetch opens a connection in advance after an abort, and sends nothing on it.
    near.once('data', () => {
      count += 1;
    });
    const pair: Pair = [near, connect(Number(to.port), to.hostname)];
    pairs.add(pair);
    join(pair, () => {
      pairs.delete(pair);
      if (pairs.size === 0) for (const wake of waiting) wake();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const cut = () => {
    for (const [near] of pairs) near.resetAndDestroy();
  };

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** The number of connections so far on which the client sent data. */
    get count() {
      return count;
    },
    get open() {
      return pairs.size;
    },
    /** Resets every connection now. */
    cut,
    /** Resets every connection and refuses new ones until `mend`. */
    breakDown(): void {
      isOut = true;
      cut();
    },
    mend(): void {
      isOut = false;
    },
    /** Silently drops all data from the server on open connections. New connections work. */
    deaden(): void {
      for (const [near, far] of pairs) {
        far.unpipe(near);
        far.resume();
      }
    },
    leadTo(other: string): void {
      to = new URL(other);
    },
    /** Resolves when no connection is open. */
    async closed(): Promise<void> {
      if (pairs.size === 0) return;
      await new Promise<void>((resolve) => waiting.add(resolve));
    },
    async [Symbol.asyncDispose](): Promise<void> {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}

export type Line = Awaited<ReturnType<typeof openLine>>;

/** Forwards data in both directions; when one side closes, the other is closed too. */
function join(pair: Pair, onClose: () => void): void {
  const [near, far] = pair;
  near.pipe(far);
  far.pipe(near);
  for (const socket of pair) {
    socket.on('error', () => undefined);
    socket.on('close', () => {
      for (const each of pair) each.destroy();
      onClose();
    });
  }
}
