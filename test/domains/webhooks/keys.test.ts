import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openReceiver, type Receiver, verify } from './webhook-receiver.ts';
import { isFinished, startWebhooks, type TestWebhooks } from './webhook-service.ts';

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

const dayMs = 24 * 3_600_000;

async function deliverTo(owner: string) {
  const delivery = await service.waitForDelivery(
    await service.changeLipsync(receiver.url, { owner }),
    isFinished,
  );
  expect(delivery.state).toBe('DELIVERED');
  const request = receiver.received.at(-1);
  if (request === undefined) throw new Error('no webhook arrived');
  const isSignedWith = (secret: string) => {
    try {
      verify(secret, request);
      return true;
    } catch {
      return false;
    }
  };
  const signatures = String(request.headers['webhook-signature']).split(' ');
  return { isSignedWith, signatures };
}

describe('works', () => {
  it('creates the first key for the first webhook, which is signed with it', async () => {
    expect(await service.webhooks.listKeys('key:new')).toEqual([]);
    const { signatures } = await deliverTo('key:new');
    expect(signatures).toEqual([expect.stringMatching(/^v1,[\w+/]{43}=$/)]);
    expect(await service.webhooks.listKeys('key:new')).toHaveLength(1);
    await deliverTo('key:new');
    expect(await service.webhooks.listKeys('key:new')).toHaveLength(1);
  });

  it('returns a new secret once, in the format of the libraries, and later only its last characters', async () => {
    const { key, secret } = await service.webhooks.rotateSecret('key:ann');
    expect(secret).toMatch(/^whsec_[\w+/]{40}$/);
    expect(key).toEqual({
      id: expect.any(String),
      hint: secret.slice(-4),
      createdAt: expect.any(Date),
      expiresAt: null,
    });
    const keys = await service.webhooks.listKeys('key:ann');
    expect(keys).toEqual([key]);
    expect(JSON.stringify(keys)).not.toContain(secret);
  });

  it('signs with the newest two secrets, with the older one for 24 hours', async () => {
    const owner = 'key:rotating';
    service.clock.offsetMs = -dayMs - 1_000;
    const first = await service.webhooks.rotateSecret(owner);
    const second = await service.webhooks.rotateSecret(owner);
    const [newest, older, ...more] = await service.webhooks.listKeys(owner);
    expect([newest?.id, older?.id]).toEqual([second.key.id, first.key.id]);
    expect(more).toEqual([]);
    const lifeMs = (older?.expiresAt?.getTime() ?? 0) - (newest?.createdAt.getTime() ?? 0);
    expect(Math.abs(lifeMs - dayMs)).toBeLessThan(1_000);

    service.clock.offsetMs = 0;
    const afterOneDay = await deliverTo(owner);
    expect(afterOneDay.signatures).toHaveLength(1);
    expect(afterOneDay.isSignedWith(first.secret)).toBe(false);
    expect(afterOneDay.isSignedWith(second.secret)).toBe(true);
    expect(await service.webhooks.listKeys(owner)).toEqual([second.key]);

    const third = await service.webhooks.rotateSecret(owner);
    const within = await deliverTo(owner);
    expect(within.signatures).toHaveLength(2);
    expect(within.isSignedWith(second.secret)).toBe(true);
    expect(within.isSignedWith(third.secret)).toBe(true);
  });

  it('keeps at most two keys, also after concurrent rotations', async () => {
    const made = await Promise.all(
      Array.from({ length: 6 }, () => service.webhooks.rotateSecret('key:hasty')),
    );
    expect(await service.webhooks.listKeys('key:hasty')).toHaveLength(2);
    const { isSignedWith } = await deliverTo('key:hasty');
    expect(made.filter(({ secret }) => isSignedWith(secret))).toHaveLength(2);
  });
});

describe('keeps out', () => {
  it("another owner's keys", async () => {
    const { secret } = await service.webhooks.rotateSecret('key:bob');
    expect(await service.webhooks.listKeys('key:eve')).toEqual([]);
    expect((await deliverTo('key:eve')).isSignedWith(secret)).toBe(false);
  });

  it('secrets in clear from the log, the jobs and the database', async () => {
    const { secret } = await service.webhooks.rotateSecret('key:ann');
    await deliverTo('key:ann');
    const kept = await service.db.query(
      'select row_to_json(webhook_keys)::text as row from webhook_keys union all select row_to_json(j)::text from pgboss.job j',
    );
    const bare = secret.slice('whsec_'.length);
    const all = `${service.lines.join('\n')}${JSON.stringify(kept)}`;
    expect(kept.length).toBeGreaterThan(1);
    expect(all).not.toContain(bare);
    expect(all).not.toContain('whsec_');
  });
});
