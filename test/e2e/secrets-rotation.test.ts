import { createHash } from 'node:crypto';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openReceiver, type Receiver, verify } from '../domains/webhooks/webhook-receiver.ts';
import { startTestApp, type TestApp, type TestAppOptions } from '../support/app.ts';
import { type TestStorage, testStorage } from '../support/database.ts';
import { createLipsync, withHeaders } from '../support/lipsyncs.ts';
import { createUpload } from '../support/uploads.ts';
import { wavHeader } from '../support/wav.ts';

const scopes = 'lipsync:read lipsync:write videos:read';
const audio = Buffer.concat([wavHeader(1_600), Buffer.alloc(1_600)]);

function key(name: string, value: string): string {
  return `${name}:${createHash('sha256').update(value).digest('hex')}:${scopes}`;
}

function signWith(secret: string): Promise<string> {
  return new SignJWT({ sub: 'ann', scope: scopes, exp: 4_000_000_000 })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(secret));
}

const jwtSecrets = [
  'the first secret of JWTs which is long',
  'the second secret of JWTs which is long',
];
const before = {
  API_KEYS: key('web', 'the-old-key'),
  AUTH_JWT_SECRET: jwtSecrets[0] ?? '',
};

const rotate =
  'mutation { rotateWebhookSecret { ... on RotateWebhookSecretSuccess { secret } ... on LipsyncError { code } } }';
const readUpload = 'query ($id: ID!) { upload(id: $id) { id } }';

let storage: TestStorage;
let receiver: Receiver;
let first: TestApp;
let second: TestApp;
/** Issued before the secrets were rotated. */
const given = { uploadPath: '', uploadId: '', webhookSecret: '', jwt: '' };
const asOld = { authorization: 'Bearer the-old-key' };
const asNew = { authorization: 'Bearer the-new-key' };

beforeAll(async () => {
  storage = await testStorage();
  receiver = await openReceiver();
  const shared = { OUTBOUND_ALLOWED_NETWORKS: '127.0.0.1', ALLOW_ANONYMOUS: 'false' };
  const start = (env: Record<string, string>, more: Partial<TestAppOptions> = {}) =>
    startTestApp({ storage, env: { ...shared, ...env }, ...more });
  first = await start(before);
  const upload = await createUpload(withHeaders(first, asOld));
  given.uploadPath = new URL(upload.url).pathname;
  given.uploadId = upload.id;
  // biome-ignore lint/suspicious/noExplicitAny: the test knows the shape of the answer.
  given.webhookSecret = (await first.ask<any>(rotate, {}, asOld)).data.rotateWebhookSecret.secret;
  given.jwt = await signWith(jwtSecrets[0] ?? '');
  const [generated] = await first.app.db.query<{ value: string }>(
    "select value from settings where name = 'callback_secret'",
  );
  await first.app.close();
  second = await start(
    {
      API_KEYS: key('web', 'the-new-key'),
      AUTH_JWT_SECRET: jwtSecrets[1] ?? '',
      CALLBACK_SECRET: `a secret of our own at last,${generated?.value}`,
    },
    { upstream: { baseUrl: first.sandbox.baseUrl, token: first.sandbox.token } },
  );
});
afterAll(async () => {
  receiver?.close();
  await second?.stop();
  await first?.stop();
  await storage?.remove();
});

async function codeFor(authorization: string): Promise<string | undefined> {
  const { data } = await second.ask<{ createUpload: { code?: string } }>(
    'mutation { createUpload(input: { kind: AUDIO, contentType: "audio/wav" }) { ... on LipsyncError { code } } }',
    {},
    { authorization },
  );
  return data?.createUpload.code;
}

describe('after each secret was rotated as docs/operations.md says', () => {
  test('an upload URL signed with the generated CALLBACK_SECRET still accepts its file', async () => {
    const url = `${second.url}${given.uploadPath}`;
    const response = await fetch(url, { method: 'PUT', body: audio });
    expect([response.status, await response.json()]).toMatchObject([200, { status: 'READY' }]);
  });

  test('webhooks are still signed with the secret that the receiver has', async () => {
    await createLipsync(withHeaders(second, asNew), { callbackUrl: receiver.url });
    await receiver.until(1);
    const [request] = receiver.received;
    expect(request && verify(given.webhookSecret, request)).toMatchObject({
      type: 'lipsync.completed',
    });
  });

  test('a new key with the same name owns what the old key created, and the old key is refused', async () => {
    const { data } = await second.ask(readUpload, { id: given.uploadId }, asNew);
    expect(data).toEqual({ upload: { id: given.uploadId } });
    expect(await codeFor('Bearer the-old-key')).toBe('NOT_AUTHENTICATED');
  });

  test('tokens signed with the new AUTH_JWT_SECRET are accepted, and old ones are refused', async () => {
    expect(await codeFor(`Bearer ${await signWith(jwtSecrets[1] ?? '')}`)).toBeUndefined();
    expect(await codeFor(`Bearer ${given.jwt}`)).toBe('NOT_AUTHENTICATED');
  });
});
