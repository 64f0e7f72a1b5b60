import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, expect, test } from 'vitest';
import manifest from '../../packages/client/package.json' with { type: 'json' };
import { startTestApp, type TestApp } from '../support/app.ts';
import { startProject, tool } from './project.ts';

const nodes = { 20: tool('node-20/bin/node'), 22: tool('node-22/bin/node'), 24: process.execPath };
const loads = {
  mjs: "import * as server from 'lipsync-graphql-client/server';",
  cjs: "const server = require('lipsync-graphql-client/server');",
};
const matrix = Object.entries(nodes).flatMap(([version, node]) =>
  Object.entries(loads).map(([extension, load]) => ({ version, node, extension, load })),
);

const jwtSecret = 'a secret of no less than 32 bytes';
const webhookSecret = `whsec_${Buffer.from('a secret of 24 bytes....').toString('base64')}`;

let app: TestApp;
let project: Awaited<ReturnType<typeof startProject>>;
let folder: string;
beforeAll(async () => {
  app = await startTestApp({ env: { AUTH_JWT_SECRET: jwtSecret, ALLOW_ANONYMOUS: 'false' } });
  project = await startProject();
  folder = join(project.folder, 'node_modules/lipsync-graphql-client');
});
afterAll(async () => {
  await project?.[Symbol.asyncDispose]();
  await app?.stop();
});

/** A backend: a request of a page through the proxy with the token of a user, and two webhooks. */
const program = `
async function main() {
  const { url, jwtSecret, webhookSecret, headers, body } = process.env;
  const handle = server.createProxy({
    url,
    authenticate: async () => ({ token: await server.signUserToken({ subject: 'ann' }, jwtSecret) }),
  });
  const response = await handle(new Request('https://page.example/graphql', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: '{ viewer { name scopes } }' }),
  }));
  const webhook = { headers: JSON.parse(headers), body };
  const { id, type } = await server.verifyWebhook(webhook, webhookSecret);
  const changed = await server.verifyWebhook({ ...webhook, body: body + ' ' }, webhookSecret).catch(
    (error) => error instanceof server.WebhookVerificationError && error.code,
  );
  console.log(JSON.stringify({ answer: await response.json(), id, type, changed }));
}
main();`;

test.each(matrix)(
  'in Node $version, as .$extension, /server signs a token, passes a request on and verifies a webhook',
  async ({ version, node, extension, load }) => {
    const file = `backend-${version}.${extension}`;
    await project.write(file, load + program);
    const body = JSON.stringify({
      type: 'lipsync.completed',
      timestamp: '2026-01-31T12:34:56.789Z',
      data: { id: 'a lip-sync', reference: null, status: 'COMPLETED', sequence: 4 },
    });
    const sentAt = new Date();
    const headers = JSON.stringify({
      'webhook-id': 'delivery-1',
      'webhook-timestamp': `${Math.floor(sentAt.getTime() / 1_000)}`,
      'webhook-signature': new Webhook(webhookSecret).sign('delivery-1', sentAt, body),
    });
    const env = { url: `${app.url}/graphql`, jwtSecret, webhookSecret, headers, body };
    expect(JSON.parse(await project.run(node, [file], env))).toMatchObject({
      answer: { data: { viewer: { name: 'ann', scopes: ['LIPSYNC_READ', 'LIPSYNC_WRITE'] } } },
      id: 'delivery-1',
      type: 'lipsync.completed',
      changed: 'WRONG_SIGNATURE',
    });
  },
);

test('every entry of the package has a source map', async () => {
  for (const entry of ['client', 'react', 'server']) {
    for (const extension of ['mjs', 'cjs']) {
      const path = join(folder, 'dist', `${entry}.${extension}`);
      const code = await readFile(path, 'utf8');
      expect(code).toContain(`//# sourceMappingURL=${entry}.${extension}.map`);
      const map = JSON.parse(await readFile(`${path}.map`, 'utf8'));
      expect(map.sources, path).not.toEqual([]);
      expect(map.sourcesContent, path).toHaveLength(map.sources.length);
    }
    for (const extension of ['d.mts', 'd.cts']) {
      await access(join(folder, 'dist', `${entry}.${extension}`));
    }
  }
});

test('the package has the version and the engines of the repository', async () => {
  const packed = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  expect(packed).toMatchObject({ version: '0.1.0', engines: { node: '>=20.3' } });
  const { version, engines } = manifest;
  expect({ version, engines }).toEqual({ version: packed.version, engines: packed.engines });
});
