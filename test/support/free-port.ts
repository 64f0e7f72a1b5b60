import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * For programs that cannot choose a free port themselves, or that start again on the same one. It is below the ports that
 * the system gives to others in the meantime.
 */
export async function findFreePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const isTaken = once(server, 'error').then(() => true);
  server.listen(port);
  if (await Promise.race([isTaken, once(server, 'listening').then(() => false)])) return false;
  server.close();
  await once(server, 'close');
  return true;
}
