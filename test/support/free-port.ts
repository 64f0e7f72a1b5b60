import { randomInt } from 'node:crypto';
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

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, () => server.close(() => resolve(true)));
  });
}
