import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findOwn } from '../../../src/domains/lipsyncs/history.ts';
import '../../../src/domains/lipsyncs/schema/viewer.ts';
import '../../../src/domains/webhooks/key-schema.ts';
import '../../../src/domains/webhooks/schema.ts';
import { builder } from '../../../src/graphql/builder.ts';
import { encodeId } from '../../../src/graphql/ids.ts';
import '../../../src/graphql/scalars.ts';
import { type AskOptions, askSchema } from '../../support/ask-schema.ts';
import { openReceiver, type Receiver, verify } from './webhook-receiver.ts';
import { isFinished, startWebhooks, type TestWebhooks } from './webhook-service.ts';

// This schema has no subscription otherwise, and an empty Subscription type is invalid.
builder.subscriptionField('unused', (t) =>
  t.boolean({ subscribe: async function* () {}, resolve: () => true }),
);
const schema = builder.toSchema();

let service: TestWebhooks;
let receiver: Receiver;
beforeAll(async () => {
  service = await startWebhooks();
  receiver = await openReceiver();
});
afterAll(async () => {
  receiver.close();
  await service.close();
});

// biome-ignore lint/suspicious/noExplicitAny: each test knows the shape of its query.
type Answer = { data: any; errors?: unknown };

function ask(source: string, options: AskOptions = {}): Promise<Answer> {
  const lipsyncs = {
    findOwn: (of: string, keys: readonly string[]) => findOwn(service.db, of, keys),
  };
  return askSchema({ schema, services: { webhooks: service.webhooks, lipsyncs } }, source, options);
}

const rotate = /* GraphQL */ `
  mutation {
    rotateWebhookSecret {
      __typename
      ... on RotateWebhookSecretSuccess { secret key { hint createdAt expiresAt } }
      ... on LipsyncError { code }
    }
  }
`;
const readKeys = '{ viewer { webhookKeys { hint createdAt expiresAt } } }';
const readLog = /* GraphQL */ `
  query ($id: ID!) {
    lipsync(id: $id) {
      webhookDeliveries {
        id type sequence url status attempts lastStatus lastProblem
        lastAttemptAt nextAttemptAt deliveredAt createdAt
      }
    }
  }
`;
const redeliver = /* GraphQL */ `
  mutation ($id: ID!) {
    redeliverWebhook(input: { id: $id }) {
      __typename
      ... on RedeliverWebhookSuccess { delivery { id status } }
      ... on LipsyncError { code message }
    }
  }
`;

describe('works', () => {
  it('shows a new secret once, and its key from then on', async () => {
    const { data } = await ask(rotate);
    const { secret, key } = data.rotateWebhookSecret;
    expect(secret).toMatch(/^whsec_/);
    expect(key).toMatchObject({ hint: secret.slice(-4), expiresAt: null });
    const { data: read } = await ask(readKeys);
    expect(read.viewer.webhookKeys).toEqual([key]);
    expect(JSON.stringify(read)).not.toContain(secret);
    const change = await service.changeLipsync(receiver.url);
    await service.waitForDelivery(change, isFinished);
    const request = receiver.received.at(-1);
    expect(request && verify(secret, request)).toMatchObject({ type: 'lipsync.completed' });
  });

  it('lists the deliveries of a lip-sync, whose ids are the webhook-ids that were sent', async () => {
    const change = await service.changeLipsync(receiver.url);
    const { id } = await service.waitForDelivery(change, isFinished);
    const { data } = await ask(readLog, { variables: { id: encodeId('Lipsync', change.id) } });
    expect(data.lipsync.webhookDeliveries).toEqual([
      {
        id: encodeId('WebhookDelivery', id),
        type: 'LIPSYNC_COMPLETED',
        sequence: 4,
        url: receiver.url,
        status: 'DELIVERED',
        attempts: 1,
        lastStatus: 204,
        lastProblem: null,
        lastAttemptAt: expect.any(String),
        nextAttemptAt: null,
        deliveredAt: expect.any(String),
        createdAt: expect.any(String),
      },
    ]);
    expect(receiver.received.at(-1)?.headers['webhook-id']).toBe(encodeId('WebhookDelivery', id));
  });

  it('lists the deliveries of many lip-syncs', async () => {
    const many = await Promise.all([1, 2, 3].map(() => service.changeLipsync(null)));
    const { data, errors } = await ask(
      'query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Lipsync { webhookDeliveries { id } } } }',
      { variables: { ids: many.map(({ id }) => encodeId('Lipsync', id)) } },
    );
    expect(errors).toBeUndefined();
    expect(data.nodes).toEqual(many.map(() => ({ webhookDeliveries: [] })));
  });

  it('sends a delivery again', async () => {
    const change = await service.changeLipsync(receiver.url);
    const { id } = await service.waitForDelivery(change, isFinished);
    const before = receiver.received.length;
    const variables = { id: encodeId('WebhookDelivery', id) };
    const { data } = await ask(redeliver, { variables });
    expect(data.redeliverWebhook).toEqual({
      __typename: 'RedeliverWebhookSuccess',
      delivery: { id: variables.id, status: 'PENDING' },
    });
    await receiver.until(before + 1);
    expect(await service.waitForDelivery(change, isFinished)).toMatchObject({ attempts: 2 });
  });
});

describe('keeps out', () => {
  it('other owners: they see no delivery and no key', async () => {
    const change = await service.changeLipsync(receiver.url);
    const { id } = await service.waitForDelivery(change, isFinished);
    const variables = { id: encodeId('WebhookDelivery', id) };
    const asBob = { owner: 'key:bob', variables };
    expect((await ask(redeliver, asBob)).data.redeliverWebhook).toEqual({
      __typename: 'NotFoundError',
      code: 'NOT_FOUND',
      message: 'The delivery was not found.',
    });
    expect((await ask(readKeys, asBob)).data.viewer.webhookKeys).toEqual([]);
    for (const rubbish of [
      'x',
      '',
      encodeId('Lipsync', change.id),
      encodeId('WebhookDelivery', 'x'),
    ]) {
      const answer = await ask(redeliver, { variables: { id: rubbish } });
      expect(answer.data.redeliverWebhook.code).toBe('NOT_FOUND');
    }
  });

  it('callers without the scope', async () => {
    const reader: AskOptions = { scopes: ['lipsync:read'] };
    const id = encodeId('WebhookDelivery', 'x');
    expect((await ask(rotate, reader)).data.rotateWebhookSecret.code).toBe('NOT_AUTHORIZED');
    expect(
      (await ask(redeliver, { ...reader, variables: { id } })).data.redeliverWebhook.code,
    ).toBe('NOT_AUTHORIZED');
    const unauthenticated: AskOptions = { owner: 'nobody', scopes: [] };
    expect((await ask(rotate, unauthenticated)).data.rotateWebhookSecret.code).toBe(
      'NOT_AUTHENTICATED',
    );
    await ask(rotate);
    const writer: AskOptions = { scopes: ['lipsync:write'] };
    const answer = await ask(readKeys, writer);
    expect(answer.data.viewer.webhookKeys).toBeNull();
    expect(answer.errors).toMatchObject([{ path: ['viewer', 'webhookKeys'] }]);
  });
});

describe('works as documentation', () => {
  it('describes every webhook type, field and enum value', () => {
    const names = Object.keys(schema.getTypeMap()).filter((name) => /Webhook/.test(name));
    expect(names.length).toBeGreaterThan(8);
    for (const name of names) {
      const config = schema.getType(name)?.toConfig() as {
        description?: string;
        fields?: Record<string, { description?: string }>;
        values?: Record<string, { description?: string }>;
      };
      const all = [config, ...Object.values({ ...config.fields, ...config.values })];
      for (const { description } of all) expect(description).toMatch(/\.$|^[^.]*$/);
      expect(all.every(({ description }) => description)).toBe(true);
    }
  });
});
