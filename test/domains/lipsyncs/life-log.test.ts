import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { callerName } from '../../../src/domains/lipsyncs/life-log.ts';
import { keyOf } from '../../../src/graphql/ids.ts';
import type { LogLine } from '../../support/app.ts';
import {
  apiKeys,
  idOf,
  type LipsyncApp,
  shortIntervals,
  signInAs,
  startLipsyncApp,
} from '../../support/lipsync-app.ts';

const ann = signInAs('ann');
const secretText = 'What only the caller knows.';
let app: LipsyncApp;
let video: string;
beforeAll(async () => {
  app = await startLipsyncApp({
    intervals: shortIntervals,
    env: { API_KEYS: apiKeys('ann'), POLL_INTERVAL_MS: '600000' },
  });
  [video = ''] = await app.listVideoIds(undefined, ann);
});
afterAll(() => app?.stop());

const create = (text: string, headers = {}, input = {}) =>
  app.create(
    { video: { videoId: video }, text, reference: secretText, ...input },
    { ...ann, ...headers },
  );

const isLife = ({ msg = '' }: LogLine) => msg.startsWith('lip-sync ');
const lifeOf = (id: string) =>
  app.logs.filter((line) => isLife(line) && line.lipsyncId === keyOf('Lipsync', id));
const messagesOf = (id: string) => lifeOf(id).map(({ level, msg }) => `${level} ${msg}`);

describe('the log has one line for each step of a lip-sync', () => {
  test('from its creation to its end, with the name of the caller, the id of the request and the trace that it sent', async () => {
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const headers = {
      'x-request-id': 'request-of-ann',
      traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
    };
    const id = idOf(await create(`[[never]] ${secretText}`, headers));
    await app.waitForStatus(id, 'GENERATING', ann);
    await app.finishJob(id);
    await app.waitForEnd(id, ann);
    expect(messagesOf(id)).toEqual([
      'info lip-sync created',
      'info lip-sync submitted',
      'info lip-sync generating',
      'info lip-sync completed',
    ]);
    const [created, ...later] = lifeOf(id);
    expect(created).toMatchObject({ status: 'SUBMITTING' });
    for (const line of [created, ...later]) {
      expect(line).toMatchObject({ caller: 'key:ann', requestId: 'request-of-ann', traceId });
    }
    for (const line of later) expect(line.accountId).toMatch(/^[\w-]{12}$/);
    expect(lifeOf(id).at(-1)).toMatchObject({ status: 'COMPLETED', source: 'CALLBACK' });
  });

  test('waiting, sent and cancelled', async () => {
    const running = await Promise.all(['a', 'b', 'c'].map((each) => create(`[[never]] ${each}`)));
    const id = idOf(await create('[[never]] Waits.'));
    expect(lifeOf(id)).toMatchObject([{ msg: 'lip-sync created', status: 'QUEUED' }]);
    for (const each of running) await app.cancel(idOf(each), ann);
    await app.waitForStatus(id, ['SUBMITTED', 'GENERATING'], ann);
    await app.cancel(id, ann);
    expect(messagesOf(id).slice(0, 3)).toEqual([
      'info lip-sync created',
      'info lip-sync submitting',
      'info lip-sync submitted',
    ]);
    expect(messagesOf(id).at(-1)).toBe('info lip-sync cancelled');
  });

  test('expired while it waited, and queued again after a 429', async () => {
    const running = await Promise.all(['a', 'b', 'c'].map((each) => create(`[[never]] ${each}`)));
    const expiresAt = new Date(Date.now() + app.clock.aheadMs + 60_000).toISOString();
    const expiring = idOf(await create('Too late.', {}, { expiresAt }));
    app.clock.aheadMs += 61_000;
    await app.waitForEnd(expiring, ann);
    expect(messagesOf(expiring)).toEqual(['info lip-sync created', 'info lip-sync expired']);
    for (const each of running) await app.cancel(idOf(each), ann);

    const busy = idOf(await create('[[429]] Busy.'));
    expect(messagesOf(busy)).toEqual(['info lip-sync created', 'info lip-sync queued']);
    await app.cancel(busy, ann);
    // The account is used again.
    app.clock.aheadMs += 60_000;
  });

  test('a rejection and a failure that is the caller’s at the level info', async () => {
    await create('[[400]]', { 'x-request-id': 'rejected-request' });
    const rejected = app.logs.filter(({ msg }) => msg === 'lip-sync rejected');
    expect(rejected).toMatchObject([
      { level: 'info', code: 'INVALID_INPUT', requestId: 'rejected-request', caller: 'key:ann' },
    ]);
    // The caller sent none, and nothing is traced.
    expect(rejected[0]).not.toHaveProperty('traceId');
    const id = idOf(await create('[[moderated]]'));
    await app.waitForEnd(id, ann);
    expect(lifeOf(id).at(-1)).toMatchObject({ level: 'info', code: 'CONTENT_MODERATED' });
  });

  test('an outcome that is unknown, and an account that is paused, at the level warn', async () => {
    const { lipsync } = await create('[[cut]]');
    const id = lipsync?.id ?? '';
    await app.waitForEnd(id, ann);
    expect(messagesOf(id).slice(0, 2)).toEqual([
      'info lip-sync created',
      'warn lip-sync outcome unknown',
    ]);
    await create('[[402]]');
    await vi.waitFor(
      () =>
        expect(app.logs.filter(({ msg }) => msg === 'account paused')).toMatchObject([
          { level: 'warn', code: 'SUBSCRIPTION_EXPIRED', accountId: expect.any(String) },
        ]),
      { timeout: 60_000 },
    );
  });
});

describe('keeps out', () => {
  test('what the caller wrote, and the e-mail of the account', () => {
    const text = JSON.stringify(app.logs.filter(isLife));
    expect(text).not.toContain(secretText);
    expect(text).not.toContain('@');
  });

  test('the subject of a JWT that can be an e-mail address: the same caller has the same short hash', () => {
    const owner = 'jwt:https%3A//login.example.com/:ann@example.com';
    const hash = createHash('sha256').update(owner).digest('hex').slice(0, 12);
    expect(callerName(owner)).toBe(`jwt:#${hash}`);
    expect(callerName('jwt:https://login.example.com/:auth0|5f7c8ec7')).toBe('jwt:auth0|5f7c8ec7');
    expect(callerName('jwt:issuer:+49 170 1234567')).toMatch(/^jwt:#[0-9a-f]{12}$/);
    expect(callerName('key:web')).toBe('key:web');
    expect(callerName('anonymous')).toBe('anonymous');
  });
});
