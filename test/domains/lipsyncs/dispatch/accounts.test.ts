import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Sandbox, startSandbox } from '../../../../src/sandbox/sandbox.ts';
import { findFreePort } from '../../../support/free-port.ts';
import { idOf, type LipsyncApp, startLipsyncApp } from '../../../support/lipsync-app.ts';
import { longWait } from '../../../support/lipsyncs.ts';
import { downloadVideo, uploadFile } from '../../../support/uploads.ts';

const [big, small] = ['big@sandbox.example', 'small@sandbox.example'];

let app: LipsyncApp;
let ofBig: string;
let ofSmall: string;
let uploadId: string;
beforeAll(async () => {
  app = await startLipsyncApp({
    sandbox: {
      accounts: [
        { email: big, maxJobs: 3 },
        { email: small, maxJobs: 1 },
      ],
    },
  });
  [ofBig = ''] = await app.listVideoIds(big);
  [ofSmall = ''] = await app.listVideoIds(small);
  uploadId = await uploadFile(app, 'VIDEO', await downloadVideo(app));
});
afterAll(() => app.stop());
beforeEach(() => app.sendFinalCallbacksOnly());

const say = (video: object, text: string, more: object = {}) =>
  app.create({ video, speech: { script: { text } }, ...more });

const accountOf = async (id: string) => (await app.jobOf(id))?.email;

describe('works', () => {
  it('sends no more jobs than an account accepts, from the first request on', async () => {
    const made = [
      await say({ videoId: ofSmall }, '[[never]] one'),
      await say({ videoId: ofSmall }, '[[never]] two'),
    ];
    expect(made.map(({ lipsync }) => lipsync?.status)).toEqual(['SUBMITTED', 'QUEUED']);
    for (const each of made) await app.cancel(idOf(each));
    expect((await app.posts()).map(({ status }) => status)).not.toContain(429);
  });

  it('sends a lip-sync without a fixed account to the account with the most free slots', async () => {
    const made = [];
    for (const n of [1, 2, 3, 4, 5]) made.push(await say({ uploadId }, `[[never]] room ${n}`));
    const emails = await Promise.all(made.slice(0, 4).map((each) => accountOf(idOf(each))));
    // 3 free slots against 1, then 2 against 1; at 1 against 1 either account may be chosen.
    expect(emails.slice(0, 2)).toEqual([big, big]);
    expect(emails.slice(2).toSorted()).toEqual([big, small]);
    expect(made.at(-1)?.lipsync?.status).toBe('QUEUED');
    for (const each of made.toReversed()) await app.cancel(idOf(each));
  });

  // Once the limit of another account was sent, which raised that of the chosen one.
  it('limits maxJobs to what the chosen account accepts', async () => {
    const blocking = await Promise.all(
      [1, 2, 3].map((n) => say({ videoId: ofBig }, `[[never]] ${n}`)),
    );
    const made = await say({ uploadId }, 'Anywhere', { maxJobs: 3 });
    const [post] = await app.postsOf(idOf(made));
    expect(post?.body).toMatchObject({ email: small, maxJobs: 1 });
    for (const each of blocking) await app.cancel(idOf(each));
    await app.waitForEnd(idOf(made));
  });

  it.each([
    ['account412', 'InsufficientCreditsError'],
    ['account596', 'AccountPendingError'],
  ])(
    'pauses an account after %s: other lip-syncs use another account or wait until it recovers',
    async (name, type) => {
      await app.turn({ [name]: big });
      expect(await say({ videoId: ofBig }, 'Meets it')).toMatchObject({ __typename: type });
      const bound = await say({ videoId: ofBig }, 'Bound');
      expect(bound.lipsync?.status).toBe('QUEUED');
      const free = await say({ uploadId }, 'Free');
      expect(free.lipsync?.status).toBe('SUBMITTED');
      expect(await accountOf(idOf(free))).toBe(small);
      const fail = await say({ videoId: ofBig }, 'Now', { whenBusy: 'FAIL' });
      expect(fail).toMatchObject({ __typename: 'RateLimitedError', limit: 'ACCOUNT_BUSY' });
      expect(await app.postsOf(idOf(bound))).toEqual([]);
      await app.turn({ [name]: null });
      // Recovery is probed once a minute, and less often after a relapse.
      await vi.waitFor(
        async () => {
          app.clock.aheadMs += 61_000;
          expect((await app.read(idOf(bound)))?.status).toBe('COMPLETED');
        },
        { ...longWait, interval: 500 },
      );
      expect(await app.postsOf(idOf(bound))).toHaveLength(1);
      await app.waitForEnd(idOf(free));
    },
  );

  it('sends an upload only to accounts that the upstream still lists', async () => {
    const { baseUrl, token } = app.sandbox;
    const response = await fetch(`${baseUrl}/accounts/${big}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${token}` },
    });
    expect(response.ok).toBe(true);
    app.clock.aheadMs += 61_000;
    const made = await say({ uploadId }, 'Where?');
    expect(made.__typename).toBe('CreateLipsyncSuccess');
    expect(await accountOf(idOf(made))).toBe(small);
    await app.waitForEnd(idOf(made));
  });
});

describe('refuses', () => {
  // Lip-syncs that were bound to the account waited for ever.
  it('waiting lip-syncs with the present reason after their paused account was removed from the upstream', async () => {
    await using own = await startLipsyncApp({
      sandbox: {
        accounts: [
          { email: big, maxJobs: 3 },
          { email: small, maxJobs: 1 },
        ],
      },
    });
    await own.sendFinalCallbacksOnly();
    const [video] = await own.listVideoIds(small);
    const input = { video: { videoId: video }, speech: { script: { text: 'Hello' } } };
    await own.turn({ account596: small });
    expect((await own.create(input)).__typename).toBe('AccountPendingError');
    const waiting = await own.create(input);
    expect(waiting.lipsync?.status).toBe('QUEUED');
    const { baseUrl, token } = own.sandbox;
    const headers = { authorization: `Bearer ${token}` };
    const removed = await fetch(`${baseUrl}/accounts/${small}`, { method: 'DELETE', headers });
    expect(removed.ok).toBe(true);
    await vi.waitFor(
      async () => {
        own.clock.aheadMs += 61_000;
        expect((await own.read(idOf(waiting)))?.status).toBe('FAILED');
      },
      { ...longWait, interval: 500 },
    );
    expect(await own.postsOf(idOf(waiting))).toHaveLength(1);
    expect((await own.create(input)).__typename).toMatch(/Error$/);
  });

  it('a lip-sync that could not be sent, and stores nothing; a waiting one is sent when the upstream answers again', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'lipsync-away-'));
    const port = await findFreePort();
    const options = { dataDir, port, queuedMs: 20, generatingMs: 50 };
    const accounts = [{ email: 'studio@sandbox.example', maxJobs: 3 }];
    const away = await startLipsyncApp({ sandbox: { ...options, accounts } });
    let back: Sandbox | null = null;
    try {
      const [id = ''] = await away.listVideoIds();
      const input = { video: { videoId: id }, speech: { script: { text: 'Hello' } } };
      // A video that a lip-sync has used is known without the upstream.
      await away.waitForEnd(idOf(await away.create(input)));
      await away.sandbox.close();
      expect(await away.create({ ...input, idempotencyKey: 'away' })).toMatchObject({
        __typename: 'UpstreamUnavailableError',
        retryable: true,
      });
      const { lipsyncs } = await away.askForData<{ lipsyncs: { nodes: object[] } }>(
        '{ lipsyncs { nodes { id } } }',
      );
      expect(lipsyncs.nodes).toHaveLength(1);
      const waiting = await away.create({ ...input, idempotencyKey: 'away' });
      expect(waiting).toMatchObject({ replayed: false, lipsync: { status: 'QUEUED' } });
      back = await startSandbox(options);
      away.clock.aheadMs += 31_000;
      expect((await away.waitForEnd(idOf(waiting))).status).toBe('COMPLETED');
    } finally {
      await away.stop();
      await back?.close();
      await rm(dataDir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    }
  });
});
