import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export type Load = { url: string; request: Buffer; connections: number; seconds: number };

/** Requests per second over kept-alive connections, each of which sends its next request after the response. */
export async function measureRate(load: Load): Promise<number> {
  const stopAt = performance.now() + load.seconds * 1000;
  const startedAt = performance.now();
  const counts = await Promise.all(
    Array.from({ length: load.connections }, () => sendUntil(load, stopAt)),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  return counts.reduce((sum, count) => sum + count, 0) / seconds;
}

async function sendUntil({ url, request }: Load, stopAt: number): Promise<number> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  await once(socket, 'connect');
  let count = 0;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  onEachResponse(socket, (status) => {
    if (status !== 200) return reject(new Error(`${url} answered ${status}.`));
    count += 1;
    if (performance.now() < stopAt) socket.write(request);
    else resolve();
  });
  socket.once('error', reject);
  socket.write(request);
  await promise;
  socket.destroy();
  return count;
}

/** Finds the ends of responses by `content-length` or by the last chunk: a full parser would be half of the load. */
function onEachResponse(socket: Socket, onEnd: (status: number) => void): void {
  let pending: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    const end = endOfResponse(pending);
    if (end === null) return;
    const status = Number(pending.toString('latin1', 9, 12));
    pending = pending.subarray(end);
    onEnd(status);
  });
}

function endOfResponse(bytes: Buffer): number | null {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return null;
  const head = bytes.toString('latin1', 0, headEnd);
  const [, length] = /content-length: *(\d+)/i.exec(head) ?? [];
  const end =
    length === undefined
      ? bytes.indexOf('\r\n0\r\n\r\n', headEnd) + 7
      : headEnd + 4 + Number(length);
  return end >= headEnd + 4 && end <= bytes.length ? end : null;
}
