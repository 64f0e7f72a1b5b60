import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openReceiver, type Receiver } from '../../domains/webhooks/webhook-receiver.ts';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { type TestStorage, testStorage } from '../../support/database.ts';
import { createLipsync } from '../../support/lipsyncs.ts';
import { createUpload } from '../../support/uploads.ts';
import { openTwoOwners, patient, signAs, type TwoOwners } from './two-owners.ts';

/** Everything that a caller without `admin` can read. */
const everything = `query { viewer { name scopes webhookKeys { hint } }
  voices { ... on VoiceList { nodes { id name previewUrl } } }
  videos(first: 100) { ... on VideoConnection { edges { cursor } nodes { ...video } pageInfo { startCursor endCursor } } }
  lipsyncs { edges { cursor } pageInfo { startCursor endCursor } nodes {
    id reference text voice { id } sourceVideo { ...video } result { ...video } failure { message }
    webhookDeliveries { id url } events(first: 100) { edges { cursor } } } } }
  fragment video on Video { id status prompt url posterUrl lastFrameUrl }`;

const secrets = { old: 'the older secret of callbacks', fresh: 'the newer secret of callbacks' };
const email = 'ann+bob@sandbox.example';

let storage: TestStorage;
let it: TwoOwners;
let receiver: Receiver;
beforeAll(async () => {
  storage = await testStorage();
  receiver = await openReceiver();
  it = await openTwoOwners({ CALLBACK_SECRET: secrets.old });
  await it.finished('ann', it.uploads.annVideo, { callbackUrl: receiver.url });
});
afterAll(async () => {
  receiver?.close();
  await it?.stop();
  await storage?.remove();
});

/** The values of all fields whose names end in id or cursor. */
function idsIn(value: unknown, name = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((each) => idsIn(each, name));
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).flatMap(([key, each]) => idsIn(each, key));
  }
  return typeof value === 'string' && /id$|cursor$/i.test(name) ? [value] : [];
}

describe('keeps out', () => {
  test('e-mails and user ids from every id and cursor, and e-mails from every answer to a caller without admin', async () => {
    const data = await it.people.ann.ask(everything);
    const ids = idsIn(data);
    expect(ids.length).toBeGreaterThan(20);
    const raw = await it.app.db.query<{ prefix: string }>('select prefix from id_prefixes');
    const [, user] = /user:(\d+)/.exec(raw[0]?.prefix ?? '') ?? [];
    expect(user).toBeDefined();
    for (const id of ids) {
      const plain = Buffer.from(id, 'base64url').toString('latin1');
      expect(`${id} ${plain}`).not.toMatch(/@|%40|sandbox|ann\+bob|user:|pixverse/i);
      expect(`${id} ${plain}`).not.toMatch(new RegExp(`\\b${user}\\b`));
    }
    expect(JSON.stringify(data)).not.toMatch(/@|%40|ann\+bob|sandbox\.example/i);
  });

  test('e-mails from callers without admin', async () => {
    const query = '{ accounts { __typename ... on AccountList { nodes { email } } } }';
    const all = 'lipsync:read lipsync:write videos:read videos:write';
    const [some, admin] = await Promise.all([signAs('op', all), signAs('op', `${all} admin`)]);
    const answers = await Promise.all(
      [some, admin].map((token) => it.ask(query, {}, { authorization: `Bearer ${token}` })),
    );
    expect(answers.map(({ data }) => data?.accounts)).toEqual([
      { __typename: 'NotAuthorizedError' },
      { __typename: 'AccountList', nodes: [{ email }] },
    ]);
  });
});

describe('works', () => {
  const env = { ALLOW_ANONYMOUS: 'true', POLL_INTERVAL_MS: '600000' };
  const withSecret = (secret: string) =>
    startTestApp({
      upstream: it.sandbox,
      storage,
      env: { ...env, CALLBACK_SECRET: secret },
    });
  const operator = `${everything.replace('query {', 'query { accounts { ... on AccountList { nodes { id } } }')}`;

  /** Creates a finished lip-sync with a delivered webhook, and an upload. @returns the upload's id */
  async function fill(app: TestApp): Promise<string> {
    await createLipsync(app, { callbackUrl: receiver.url });
    const { id } = await createUpload(app);
    type Data = { lipsyncs: { nodes: { webhookDeliveries: { status: string }[] }[] } };
    await vi.waitFor(async () => {
      const query = '{ lipsyncs { nodes { webhookDeliveries { status } } } }';
      const { lipsyncs } = (await app.ask<Data>(query)).data ?? { lipsyncs: { nodes: [] } };
      expect(lipsyncs.nodes[0]?.webhookDeliveries[0]?.status).toBe('DELIVERED');
    }, patient);
    return id;
  }

  async function readAll(app: TestApp): Promise<unknown> {
    const { data, errors } = await app.ask(operator);
    expect(errors).toBeUndefined();
    return data;
  }

  /** The object behind each id. */
  async function follow(app: TestApp, ids: string[]): Promise<unknown> {
    const query = 'query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }';
    const { data } = await app.ask(query, { ids });
    return data?.nodes;
  }

  test('ids and cursors survive a restart and every rotation of CALLBACK_SECRET', async () => {
    const first = await withSecret(secrets.old);
    const upload = await fill(first);
    const before = await readAll(first);
    const ids = [...new Set([...idsIn(before), upload])].filter((id) =>
      /^(Lipsync|Video|Voice|Upload|Account|WebhookDelivery):/.test(
        Buffer.from(id, 'base64url').toString(),
      ),
    );
    const led = await follow(first, ids);
    const types = ['Account', 'Lipsync', 'Upload', 'Video', 'Voice', 'WebhookDelivery'];
    for (const type of types) expect(JSON.stringify(led)).toContain(`"${type}"`);
    await first.stop();
    for (const secret of [`${secrets.fresh},${secrets.old}`, secrets.fresh]) {
      const again = await withSecret(secret);
      expect(await readAll(again)).toEqual(before);
      expect(await follow(again, ids)).toEqual(led);
      await again.stop();
    }
  });
});
