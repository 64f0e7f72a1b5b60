import { afterEach, describe, expect, it, vi } from 'vitest';
import { openReceiver } from './webhook-receiver.ts';
import {
  isFinished,
  isWaitingAfter,
  startWebhooks,
  type TestWebhookOptions,
} from './webhook-service.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start(options: TestWebhookOptions = {}) {
  const service = await startWebhooks({
    // Any host name leads to this machine.
    resolve: async () => [{ address: '127.0.0.1', family: 4 }],
    ...options,
  });
  closers.push(service.close);
  return service;
}

const receive: typeof openReceiver = async (...options) => {
  const receiver = await openReceiver(...options);
  closers.push(receiver.close);
  return receiver;
};

const never = () => undefined;
const hourMs = 3_600_000;
const numbers = (count: number) => [...Array(count).keys()];

type Service = Awaited<ReturnType<typeof start>>;

const patience = { timeout: 60_000, interval: 20 };

/** Resolves after a search that found everything that was due before. */
async function searchAgain(service: Service): Promise<void> {
  const change = await service.changeLipsync((await receive()).url, { owner: 'key:other' });
  await service.waitForDelivery(change, isFinished);
}

const readReceivers = (service: Service) =>
  service.db.query<{ owner: string; host: string; failures: number; paused: boolean }>(
    `select owner, host, failures, paused_until is not null as paused
     from webhook_receivers order by owner, host`,
  );

describe('works while receivers hang', () => {
  // Eighty deliveries of eight owners once stopped all other webhooks for minutes.
  it.each([
    [
      'one receiver for each owner',
      (port: number, owner: number) => `http://o${owner}.test:${port}/`,
    ],
    [
      'a new host name for each delivery',
      (port: number, owner: number, n: number) => `http://h${n}.o${owner}.test:${port}/`,
    ],
  ])(
    'delivers for other owners while all attempts of 20 owners are pending: %s',
    async (_, urlOf) => {
      const service = await start({ timeoutMs: hourMs });
      const hanging = await receive(never);
      const stuck = await Promise.all(
        numbers(20).flatMap((owner) =>
          numbers(10).map((n) =>
            service.changeLipsync(urlOf(hanging.port, owner, n), { owner: `key:stuck-${owner}` }),
          ),
        ),
      );
      await hanging.until(20);
      const receiver = await receive();
      for (const owner of ['key:ann', 'key:bob', 'key:ann', 'key:cat']) {
        const change = await service.changeLipsync(receiver.url, { owner });
        expect(await service.waitForDelivery(change, isFinished)).toMatchObject({
          state: 'DELIVERED',
          attempts: 1,
        });
      }
      const rows = await service.db.query(
        "select 1 from webhook_deliveries where state = 'PENDING' and last_problem is null",
      );
      expect(rows).toHaveLength(stuck.length);
    },
  );

  it("delivers to an owner's other receivers while one of them hangs", async () => {
    const service = await start({ timeoutMs: hourMs });
    const hanging = await receive(never);
    for (const _ of numbers(5)) await service.changeLipsync(hanging.url);
    await hanging.until(1);
    const receiver = await receive();
    const change = await service.changeLipsync(receiver.url);
    await service.waitForDelivery(change, isFinished);
    expect(hanging.received).toHaveLength(1);
  });
});

describe('works with a receiver that answers', () => {
  it('sends it four deliveries of an owner at a time, and one until its first answer', async () => {
    const service = await start({ timeoutMs: hourMs });
    const held: (() => void)[] = [];
    const receiver = await receive((response) => {
      held.push(() => void response.writeHead(204).end());
    });
    const changes = await Promise.all(numbers(8).map(() => service.changeLipsync(receiver.url)));
    await receiver.until(1);
    await searchAgain(service);
    expect(receiver.received).toHaveLength(1);
    held.shift()?.();
    await receiver.until(5);
    await searchAgain(service);
    expect(held).toHaveLength(4);
    await vi.waitFor(async () => {
      for (const answer of held.splice(0)) answer();
      for (const change of changes) {
        const delivery = await service.findDelivery(change.owner, change.id);
        expect(delivery).toMatchObject({ state: 'DELIVERED', attempts: 1 });
      }
    }, patience);
  });

  it("gives an owner's other receiver the next attempt", async () => {
    const service = await start({ timeoutMs: hourMs });
    const held: (() => void)[] = [];
    const busy = await receive((response, n) => {
      if (n === 1) response.writeHead(204).end();
      else held.push(() => void response.writeHead(204).end());
    });
    await service.waitForDelivery(await service.changeLipsync(busy.url), isFinished);
    for (const _ of numbers(9)) await service.changeLipsync(busy.url);
    await busy.until(5);
    const other = await receive();
    const change = await service.changeLipsync(other.url);
    await service.db.query(
      `insert into webhook_receivers (owner, host, failures, updated_at)
       values ('key:ann', $1, 0, now())`,
      [`127.0.0.1:${other.port}`],
    );
    held.shift()?.();
    await service.waitForDelivery(change, isFinished);
    expect(busy.received.length).toBeLessThan(8);
  });

  it('sends one delivery at a time again once it fails', async () => {
    const service = await start({ timeoutMs: hourMs, delaysMs: [hourMs] });
    const receiver = await receive((response, n) => {
      if (n < 3) response.writeHead(n === 1 ? 204 : 500).end();
    });
    await service.waitForDelivery(await service.changeLipsync(receiver.url), isFinished);
    await service.waitForDelivery(await service.changeLipsync(receiver.url), isWaitingAfter(1));
    for (const _ of numbers(5)) await service.changeLipsync(receiver.url);
    await receiver.until(3);
    await searchAgain(service);
    expect(receiver.received).toHaveLength(3);
  });
});

describe('works with a receiver that fails', () => {
  it('pauses it after five deliveries in a row, and sends nothing to it before the pause ends', async () => {
    const service = await start({ delaysMs: [hourMs] });
    let status = 500;
    const receiver = await receive((response) => void response.writeHead(status).end());
    const host = `127.0.0.1:${receiver.port}`;
    for (const _ of numbers(5)) await service.changeLipsync(receiver.url);
    await receiver.until(5);
    await service.waitForDelivery(await service.changeLipsync((await receive()).url), isFinished);
    expect(await readReceivers(service)).toContainEqual({
      owner: 'key:ann',
      host,
      failures: 5,
      paused: true,
    });
    await pauseForAnHour(service, host);
    const waiting = await Promise.all(numbers(3).map(() => service.changeLipsync(receiver.url)));
    // The same host belongs to another owner too.
    const other = await service.changeLipsync(receiver.url, { owner: 'key:bob' });
    status = 200;
    await service.waitForDelivery(other, isFinished);
    const sentWhilePaused = receiver.received.length;
    service.clock.offsetMs += 1.1 * hourMs;
    for (const change of waiting) {
      expect(await service.waitForDelivery(change, isFinished)).toMatchObject({ attempts: 1 });
    }
    expect(sentWhilePaused).toBe(6);
    expect(await readReceivers(service)).toContainEqual({
      owner: 'key:ann',
      host,
      failures: 0,
      paused: false,
    });
  });

  it('does not pause it for the repeated attempts of one delivery', async () => {
    const service = await start({ delaysMs: numbers(9).map(() => 0) });
    const receiver = await receive((response) => void response.writeHead(500).end());
    const change = await service.changeLipsync(receiver.url);
    expect(await service.waitForDelivery(change, isFinished)).toMatchObject({ attempts: 10 });
    expect(await readReceivers(service)).toMatchObject([{ failures: 1, paused: false }]);
  });

  it('redelivers to it in spite of the pause', async () => {
    const service = await start({ delaysMs: [] });
    let status = 500;
    const receiver = await receive((response) => void response.writeHead(status).end());
    const change = await service.changeLipsync(receiver.url);
    const failed = await service.waitForDelivery(change, isFinished);
    await pauseForAnHour(service, `127.0.0.1:${receiver.port}`);
    status = 200;
    await service.webhooks.redeliver('key:ann', failed.id);
    expect(await service.waitForDelivery(change, isFinished)).toMatchObject({ attempts: 2 });
  });
});

async function pauseForAnHour(service: Service, host: string): Promise<void> {
  await service.db.query(
    "update webhook_receivers set paused_until = now() + interval '1 hour' where owner = 'key:ann' and host = $1",
    [host],
  );
}

describe('keeps out', () => {
  it("failures at a shared host: they do not pause another owner's webhooks to it", async () => {
    const service = await start({ delaysMs: [] });
    const shared = await receive(
      (response, _, path) => void response.writeHead(path.startsWith('/bad') ? 500 : 200).end(),
    );
    const at = (path: string) => `http://hooks.test:${shared.port}${path}`;
    const bad = await Promise.all(
      numbers(8).map(() => service.changeLipsync(at('/bad'), { owner: 'key:ann' })),
    );
    for (const change of bad.slice(0, 1)) await service.waitForDelivery(change, isFinished);
    for (const _ of numbers(3)) {
      const good = await service.changeLipsync(at('/good'), { owner: 'key:bob' });
      expect(await service.waitForDelivery(good, isFinished)).toMatchObject({ attempts: 1 });
    }
    expect(await readReceivers(service)).toContainEqual({
      owner: 'key:bob',
      host: `hooks.test:${shared.port}`,
      failures: 0,
      paused: false,
    });
  });
});
