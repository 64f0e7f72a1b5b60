import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openReceiver, type Receiver, verify } from './receiver.ts';
import { isEnded, openStage, type Stage } from './stage.ts';

let stage: Stage;
let receiver: Receiver;
beforeAll(async () => {
  stage = await openStage();
  receiver = await openReceiver();
});
afterAll(async () => {
  receiver.close();
  await stage.close();
});

const dayMs = 24 * 3_600_000;

async function deliverTo(owner: string) {
  const delivery = await stage.settled(await stage.tell(receiver.url, { owner }), isEnded);
  expect(delivery.state).toBe('DELIVERED');
  const request = receiver.received.at(-1);
  if (request === undefined) throw new Error('nothing came');
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
  it('has no key until the first webhook, which is signed all the same', async () => {
    expect(await stage.webhooks.listKeys('key:new')).toEqual([]);
    const { signatures } = await deliverTo('key:new');
    expect(signatures).toEqual([expect.stringMatching(/^v1,[\w+/]{43}=$/)]);
    expect(await stage.webhooks.listKeys('key:new')).toHaveLength(1);
    await deliverTo('key:new');
    expect(await stage.webhooks.listKeys('key:new')).toHaveLength(1);
  });

  it('shows a new secret once, as the libraries take it, and its end afterwards', async () => {
    const { key, secret } = await stage.webhooks.rotateSecret('key:ann');
    expect(secret).toMatch(/^whsec_[\w+/]{40}$/);
    expect(key).toEqual({
      id: expect.any(String),
      hint: secret.slice(-4),
      createdAt: expect.any(Date),
      expiresAt: null,
    });
    const keys = await stage.webhooks.listKeys('key:ann');
    expect(keys).toEqual([key]);
    expect(JSON.stringify(keys)).not.toContain(secret);
  });

  it('signs with the newest two, and with the older one for a day', async () => {
    const owner = 'key:rotating';
    stage.clock.offsetMs = -dayMs - 1_000;
    const first = await stage.webhooks.rotateSecret(owner);
    const second = await stage.webhooks.rotateSecret(owner);
    const [newest, older, ...more] = await stage.webhooks.listKeys(owner);
    expect([newest?.id, older?.id]).toEqual([second.key.id, first.key.id]);
    expect(more).toEqual([]);
    const lifeMs = (older?.expiresAt?.getTime() ?? 0) - (newest?.createdAt.getTime() ?? 0);
    expect(Math.abs(lifeMs - dayMs)).toBeLessThan(1_000);

    stage.clock.offsetMs = 0;
    const afterADay = await deliverTo(owner);
    expect(afterADay.signatures).toHaveLength(1);
    expect(afterADay.isSignedWith(first.secret)).toBe(false);
    expect(afterADay.isSignedWith(second.secret)).toBe(true);
    expect(await stage.webhooks.listKeys(owner)).toEqual([second.key]);

    const third = await stage.webhooks.rotateSecret(owner);
    const within = await deliverTo(owner);
    expect(within.signatures).toHaveLength(2);
    expect(within.isSignedWith(second.secret)).toBe(true);
    expect(within.isSignedWith(third.secret)).toBe(true);
  });

  it('has two at most, also where many rotate at once: the oldest ends at once', async () => {
    const made = await Promise.all(
      Array.from({ length: 6 }, () => stage.webhooks.rotateSecret('key:hasty')),
    );
    expect(await stage.webhooks.listKeys('key:hasty')).toHaveLength(2);
    const { isSignedWith } = await deliverTo('key:hasty');
    expect(made.filter(({ secret }) => isSignedWith(secret))).toHaveLength(2);
  });
});

describe('keeps out', () => {
  it("another owner's keys", async () => {
    const { secret } = await stage.webhooks.rotateSecret('key:bob');
    expect(await stage.webhooks.listKeys('key:eve')).toEqual([]);
    expect((await deliverTo('key:eve')).isSignedWith(secret)).toBe(false);
  });

  it('secrets from the log, the jobs and a copy of the database', async () => {
    const { secret } = await stage.webhooks.rotateSecret('key:ann');
    await deliverTo('key:ann');
    const kept = await stage.db.query(
      'select row_to_json(webhook_keys)::text as row from webhook_keys union all select row_to_json(j)::text from pgboss.job j',
    );
    const bare = secret.slice('whsec_'.length);
    const all = `${stage.lines.join('\n')}${JSON.stringify(kept)}`;
    expect(kept.length).toBeGreaterThan(1);
    expect(all).not.toContain(bare);
    expect(all).not.toContain('whsec_');
  });
});
