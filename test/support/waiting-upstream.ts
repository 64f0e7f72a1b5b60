import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An upstream that says nothing of its voices until it is told to. */
export async function openWaitingUpstream() {
  const asked = Promise.withResolvers<ServerResponse>();
  const left = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    if (!request.url?.includes('voices')) {
      response.end('{"a@b.example": {"maxJobs": 1}}');
      return;
    }
    response.once('close', left.resolve);
    asked.resolve(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    upstream: { baseUrl: `http://127.0.0.1:${port}`, token: 'user:1-x' },
    asked: asked.promise,
    left: left.promise,
    [Symbol.dispose]: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
