import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JWK } from 'jose';

export type IdentityProvider = Awaited<ReturnType<typeof openIdentityProvider>>;

/** An issuer of JWTs that serves its key set. The test sets `answer`, and `fetches` counts the requests. */
export async function openIdentityProvider() {
  const answer: { status: number; keys: JWK[] } = { status: 200, keys: [] };
  const server = createServer((_, response) => {
    provider.fetches += 1;
    response.writeHead(answer.status, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ keys: answer.keys }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const provider = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`,
    answer,
    fetches: 0,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
  return provider;
}
