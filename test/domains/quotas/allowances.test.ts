import { afterEach, describe, expect, it } from 'vitest';
import { toAllowance } from '../../../src/domains/quotas/allowance.ts';
import { idOf, type LipsyncApp, startLipsyncApp } from '../../support/lipsync-app.ts';

const start = Date.parse('2030-01-01T00:00:00Z');
const hour = 3_600_000;
let app: LipsyncApp | undefined;
let ms = start;
afterEach(async () => {
  await app?.stop();
  app = undefined;
  ms = start;
});

async function open(env: Record<string, string>): Promise<LipsyncApp> {
  app = await startLipsyncApp({ now: () => new Date(ms), env });
  await app.sendFinalCallbacksOnly();
  return app;
}

const names = ['costPerMinute', 'lipsyncsPerDay', 'lipsyncsInFlight', 'openStreams'] as const;
type Allowance = { limit: number; used: number; remaining: number; resetAt: string | null };
type Viewer = Record<(typeof names)[number], Allowance | null>;

async function readLimits(it: LipsyncApp): Promise<Viewer> {
  const fields = names.map((name) => `${name} { limit used remaining resetAt }`).join(' ');
  return (await it.askForData<{ viewer: Viewer }>(`{ viewer { ${fields} } }`)).viewer;
}

const at = (passed: number) => new Date(start + passed).toISOString();

describe('an allowance', () => {
  it.each([
    ['of nothing used has no reset', [10, 0], { used: 0, remaining: 10, resetAt: null }],
    ['counts a started unit as used', [10, 0.2], { used: 1, remaining: 9 }],
    ['is at least 0 below a lowered limit', [3, 5], { used: 5, remaining: 0 }],
  ] as const)('%s', (_, [limit, used], expected) => {
    expect(toAllowance(limit, used, new Date(start))).toMatchObject({ limit, ...expected });
  });
});

describe('works', () => {
  it('shows each limit as null without a limit', async () => {
    expect(await readLimits(await open({}))).toEqual(
      Object.fromEntries(names.map((name) => [name, null])),
    );
  });

  it('counts lip-syncs of the day until 24 hours after each, and those in flight until they end', async () => {
    const it = await open({ LIPSYNCS_PER_DAY: '4', LIPSYNCS_IN_FLIGHT: '3' });
    const [video] = await it.listVideoIds();
    const unused = { used: 0, resetAt: null };
    expect(await readLimits(it)).toMatchObject({
      lipsyncsPerDay: { limit: 4, remaining: 4, ...unused },
      lipsyncsInFlight: { limit: 3, remaining: 3, ...unused },
    });
    const create = async () =>
      idOf(await it.create({ video: { videoId: video }, text: '[[never]]' }));
    const first = await create();
    ms = start + hour;
    await create();
    const inFlight = { limit: 3, used: 2, remaining: 1, resetAt: null };
    expect(await readLimits(it)).toMatchObject({
      lipsyncsPerDay: { limit: 4, used: 2, remaining: 2, resetAt: at(24 * hour) },
      lipsyncsInFlight: inFlight,
    });
    await it.cancel(first);
    expect(await readLimits(it)).toMatchObject({
      lipsyncsPerDay: { used: 2, resetAt: at(24 * hour) },
      lipsyncsInFlight: { ...inFlight, used: 1, remaining: 2 },
    });
    ms = start + 24 * hour;
    expect(await readLimits(it)).toMatchObject({
      lipsyncsPerDay: { used: 1, remaining: 3, resetAt: at(25 * hour) },
    });
  });

  it('says when the cost budget of a minute is full again', async () => {
    const it = await open({ COST_PER_MINUTE: '600' });
    const { costPerMinute: fresh } = await readLimits(it);
    const used = fresh?.used ?? 0;
    expect(used).toBeGreaterThan(0);
    // Ten of 600 are back after a second.
    expect(fresh).toEqual({ limit: 600, used, remaining: 600 - used, resetAt: at(used * 100) });
    ms = start + 60_000;
    expect((await readLimits(it)).costPerMinute).toMatchObject({
      used,
      resetAt: at(60_000 + used * 100),
    });
  });

  it('counts open streams', async () => {
    const it = await open({ STREAMS_PER_CALLER: '5' });
    const [video] = await it.listVideoIds();
    const id = idOf(await it.create({ video: { videoId: video }, text: '[[never]]' }));
    const stream = it.subscribe(id)[Symbol.asyncIterator]();
    await stream.next();
    expect((await readLimits(it)).openStreams).toEqual({
      limit: 5,
      used: 1,
      remaining: 4,
      resetAt: null,
    });
    await stream.return?.();
  });
});
