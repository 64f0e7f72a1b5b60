import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';

/** A seeded random number generator (mulberry32) of numbers from 0 to 1. */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export type Cutter = Awaited<ReturnType<typeof openCutter>>;

/**
 * A bad network in front of one or more instances: each connection goes to a random instance and is cut after a random
 * number of bytes of its answer.
 *
 * @param origins of the instances, `http://127.0.0.1:PORT`
 * @param options.mostBytes the limit of bytes after which every connection is cut
 */
export async function openCutter(
  origins: readonly string[],
  { random, mostBytes }: { random: () => number; mostBytes: number },
) {
  const open = new Map<Socket, () => void>();
  const visits = origins.map(() => 0);
  let cuts = 0;
  let cutsLeft = Number.POSITIVE_INFINITY;

  const server = createServer((client) => {
    const at = Math.floor(random() * origins.length);
    const upstream = connect(Number(new URL(origins[at] ?? '').port), '127.0.0.1');
    let bytesLeft = Math.floor(random() * mostBytes);
    visits[at] = (visits[at] ?? 0) + 1;
    const end = () => {
      client.destroy();
      upstream.destroy();
      open.delete(client);
    };
    open.set(client, end);
    for (const socket of [client, upstream]) socket.on('error', end).on('close', end);
    client.pipe(upstream);
    upstream.on('data', (chunk: Buffer) => {
      const passed = cutsLeft > 0 ? chunk.subarray(0, bytesLeft) : chunk;
      bytesLeft -= passed.length;
      if (passed.length === chunk.length) {
        client.write(passed);
        return;
      }
      cuts += 1;
      cutsLeft -= 1;
      client.write(passed, end);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cuts: () => cuts,
    /** The number of connections of each instance. */
    visits: () => [...visits],
    /** Cuts all connections. */
    cutAll(): void {
      cuts += open.size;
      for (const end of open.values()) end();
    },
    openCount: () => open.size,
    /** Limits the number of further cuts. */
    calmDown: (most: number) => {
      cutsLeft = most;
    },
    async close(): Promise<void> {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const end of open.values()) end();
      await closed;
    },
  };
}
