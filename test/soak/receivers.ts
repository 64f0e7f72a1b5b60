import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Receiver } from './plans.ts';

/** How long a slow receiver waits before it answers. */
const slowMs = 400;

/** Receivers of webhooks; the path says how one behaves. */
export async function openReceivers() {
  /** The ids of lip-syncs, with how many webhooks of each arrived. */
  const delivered = new Map<string, number>();
  const seen = new Set<string>();
  const broken: string[] = [];
  const waiting = new Set<() => void>();
  let failedAttempts = 0;
  const server = createServer(async (request, response) => {
    response.on('error', () => undefined);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const webhookId = String(request.headers['webhook-id']);
    const { data } = JSON.parse(Buffer.concat(chunks).toString()) as { data: { id: string } };
    const receiver = (request.url ?? '').slice(1) as Receiver;
    const isFirst = !seen.has(webhookId);
    seen.add(webhookId);
    if (receiver === 'gone' && !isFirst) broken.push(`${webhookId} was sent again after 410`);
    if (!handlers[receiver](response, isFirst)) {
      failedAttempts += 1;
      return;
    }
    delivered.set(data.id, (delivered.get(data.id) ?? 0) + 1);
    for (const check of waiting) check();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    urlOf: (receiver: Receiver) => `http://127.0.0.1:${port}/${receiver}`,
    broken,
    deliveredIds: () => new Set(delivered.keys()),
    failedAttempts: () => failedAttempts,
    /** Resolves when each of the lip-syncs has had a webhook. */
    until: (ids: readonly string[]) =>
      new Promise<void>((resolve) => {
        const check = () => {
          if (!ids.every((id) => delivered.has(id))) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      }),
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

export type Receivers = Awaited<ReturnType<typeof openReceivers>>;

function accept(response: ServerResponse): boolean {
  response.writeHead(204).end();
  return true;
}

function refuse(answer: () => void): boolean {
  answer();
  return false;
}

/** What a receiver answers; returns whether it took the webhook. */
const handlers: Record<Receiver, (response: ServerResponse, isFirst: boolean) => boolean> = {
  none: (response) => refuse(() => response.writeHead(404).end()),
  sound: accept,
  slow: (response) => {
    setTimeout(accept, slowMs, response);
    return true;
  },
  failing: (response, isFirst) =>
    isFirst ? refuse(() => response.writeHead(500).end()) : accept(response),
  cutting: (response, isFirst) => (isFirst ? refuse(() => response.destroy()) : accept(response)),
  gone: (response) => refuse(() => response.writeHead(410).end()),
};
