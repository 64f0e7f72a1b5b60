import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { vi } from 'vitest';
import { selfSigned } from '../../upstream/self-signed.ts';

export type Received = {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
};

/** A caller's webhook server: it records the requests and responds as the test specifies. */
export type Receiver = Awaited<ReturnType<typeof openReceiver>>;

/** @param answer responds to the n-th request, counted from 1. Default: status 204. */
export async function openReceiver(
  answer: (response: ServerResponse, n: number, path: string) => void = (response) =>
    void response.writeHead(204).end(),
  { isTls = false, host = '127.0.0.1', port: wanted = 0 } = {},
) {
  const received: Received[] = [];
  const server = isTls ? createTlsServer(selfSigned) : createServer();
  server.on('request', async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = '', url: path = '', headers } = request;
    received.push({ method, path, headers, body: Buffer.concat(chunks).toString('utf8') });
    answer(response, received.length, path);
  });
  server.listen(wanted, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    received,
    port,
    url: `${isTls ? 'https' : 'http'}://127.0.0.1:${port}/hook?key=1`,
    until: (count: number) =>
      vi.waitFor(
        () => {
          if (received.length < count)
            throw new Error(`Received ${received.length} of ${count} requests.`);
        },
        { timeout: 60_000, interval: 10 },
      ),
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Verifies a request as a receiver does, with the Standard Webhooks library. @throws if the signature is not valid */
export function verify(secret: string, { body, headers }: Received): unknown {
  return new Webhook(secret).verify(body, headers as Record<string, string>);
}
