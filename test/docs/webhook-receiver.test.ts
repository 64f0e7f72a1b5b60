import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { findFreePort } from '../support/free-port.ts';
import { createLipsync } from '../support/lipsyncs.ts';
import { blocksOf, commandsIn, pageOf, root, shapeOf } from './pages.ts';

const [command = ''] = blocksOf('sh')
  .flatMap(({ block }) => commandsIn(block))
  .filter((each) => each.includes('webhook-receiver.ts'));

async function untilItListens(url: string): Promise<void> {
  for (;;) {
    const isUp = await fetch(url, { method: 'POST' }).then(
      () => true,
      () => false,
    );
    if (isUp) return;
    await wait(50);
  }
}

describe('the documented receiver', () => {
  let app: TestApp;
  let receiver: ChildProcess;
  let url: string;
  beforeAll(async () => {
    app = await startTestApp();
    const { data } = await app.ask<{ rotateWebhookSecret: { secret: string } }>(
      'mutation { rotateWebhookSecret { ... on RotateWebhookSecretSuccess { secret } } }',
    );
    const port = await findFreePort();
    url = `http://127.0.0.1:${port}/lipsyncs`;
    receiver = spawn(
      'sh',
      ['-c', command.replace('whsec_…', data?.rotateWebhookSecret.secret ?? '')],
      {
        cwd: root,
        env: { ...process.env, PORT: `${port}` },
        stdio: ['ignore', 'pipe', 'inherit'],
        detached: true,
      },
    );
    await untilItListens(url);
  });
  afterAll(async () => {
    process.kill(-(receiver.pid ?? 0), 'SIGTERM');
    await app.stop();
  });

  test('accepts a signed webhook, whose body has the documented shape', async () => {
    const bodies: unknown[] = [];
    const relay = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const body = Buffer.concat(chunks);
      const answer = await fetch(url, {
        method: 'POST',
        headers: request.headers as Record<string, string>,
        body,
      });
      bodies.push({ status: answer.status, body: JSON.parse(body.toString('utf8')) });
      response.writeHead(answer.status).end();
    }).listen(0, '127.0.0.1');
    await once(relay, 'listening');
    const { port } = relay.address() as AddressInfo;
    if (receiver.stdout === null) throw new Error('The output is not piped.');
    const lines = createInterface({ input: receiver.stdout });
    const printed = once(lines, 'line');

    await createLipsync(app, {
      reference: 'order-17',
      callbackUrl: `http://127.0.0.1:${port}/`,
    });
    const [line] = await printed;
    expect(line).toMatch(/^lipsync\.completed \S+ http\S+\.mp4$/);
    const documented = pageOf('docs/webhooks.md').blocks.find(({ role }) => role === 'body');
    expect(shapeOf(bodies)).toEqual(
      shapeOf([{ status: 204, body: JSON.parse(documented?.text ?? '') }]),
    );
    relay.close();
    relay.closeAllConnections();
  });

  test('rejects a forged webhook', async () => {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'webhook-id': 'forged',
        'webhook-timestamp': `${Math.floor(Date.now() / 1000)}`,
        'webhook-signature': `v1,${Buffer.alloc(32).toString('base64')}`,
      },
      body: '{"type":"lipsync.completed","data":{}}',
    });
    expect(response.status).toBe(401);
  });
});
