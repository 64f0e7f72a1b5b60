import { describe, expect, it, vi } from 'vitest';
import {
  ask,
  BACKLOT,
  control,
  finalItem,
  type Json,
  jobs,
  lipsync,
  listVideos,
  openReceiver,
  openSandbox,
  STUDIO,
  sourceId,
} from './client.ts';

describe('switches', () => {
  it('are set one by one, listed, and turned off by null or all at once', async () => {
    const sandbox = await openSandbox();
    await control(sandbox, 'PUT /switches', { delayMs: 5, burst5xx: 2 });
    expect((await control(sandbox, 'PUT /switches', { delayMs: null })).json).toEqual({
      burst5xx: 2,
    });
    expect((await ask(sandbox, 'GET /accounts')).status).toBe(503);
    expect((await control(sandbox, 'GET /switches')).json).toEqual({ burst5xx: 1 });
    await control(sandbox, 'DELETE /switches');
    expect((await ask(sandbox, 'GET /accounts')).status).toBe(200);
  });

  it.each<[string, Json]>([
    ['an unknown name', { nothing: true }],
    ['a wrong value', { delayMs: 'long' }],
    ['an unknown field in a fault', { failPath: { path: '/videos', satus: 500 } }],
  ])('refuse %s', async (_, given) => {
    const sandbox = await openSandbox();
    expect((await control(sandbox, 'PUT /switches', given)).status).toBe(400);
    expect((await control(sandbox, 'GET /switches')).json).toEqual({});
  });

  it('make a path fail in every way', async () => {
    const sandbox = await openSandbox();
    const once = async (failPath: Json) => {
      await control(sandbox, 'PUT /switches', { failPath: { path: '/accounts', ...failPath } });
      return ask(sandbox, 'GET /accounts/');
    };
    expect((await once({ status: 596 })).json.code).toBe(596);
    const busy = await once({ status: 429, headers: { 'retry-after': '7' }, body: {} });
    expect([busy.status, busy.headers.get('retry-after'), busy.text]).toEqual([429, '7', '{}']);
    const html = await once({ status: 200, body: '<html>' });
    expect(html.headers.get('content-type')).toContain('text/html');
    const empty = await once({ status: 200, body: '' });
    expect([empty.status, empty.text]).toEqual([200, '']);
    const half = await once({ status: 200, body: '{"a":' });
    expect(half.headers.get('content-type')).toContain('application/json');
    await expect(once({ status: 200, body: 'a long body', truncateAt: 4 })).rejects.toThrow();
    await expect(once({ action: 'cut' })).rejects.toThrow();
    await control(sandbox, 'PUT /switches', { failPath: { path: '/acc*', action: 'hang' } });
    const signal = AbortSignal.timeout(1_000);
    await expect(ask(sandbox, 'GET /accounts', { signal })).rejects.toThrow();
    expect((await ask(sandbox, 'GET /accounts')).status).toBe(200);
  });

  it('count faults down, and do not affect other methods and paths', async () => {
    const sandbox = await openSandbox();
    const failPath = [
      { path: '/videos/lipsync', method: 'post', status: 500, times: 2 },
      { path: '/videos/voices', status: 503 },
    ];
    await control(sandbox, 'PUT /switches', { failPath });
    expect((await ask(sandbox, 'GET /accounts')).status).toBe(200);
    const statuses: number[] = [];
    for (let n = 0; n < 3; n++) statuses.push((await lipsync(sandbox)).status);
    expect(statuses).toEqual([500, 500, 200]);
    expect((await ask(sandbox, 'GET /videos/voices')).status).toBe(503);
    expect((await control(sandbox, 'GET /switches')).json).toEqual({});
  });

  it('can make the job and lose the answer', async () => {
    const sandbox = await openSandbox();
    const failPath = { path: '/videos/lipsync', status: 502, body: '<h1>', effect: 'after' };
    await control(sandbox, 'PUT /switches', { failPath });
    expect((await lipsync(sandbox, { replyRef: 'lost' })).status).toBe(502);
    expect(await jobs(sandbox)).toMatchObject([{ replyRef: 'lost' }]);
    await control(sandbox, 'PUT /switches', { cutNext: 1 });
    await expect(lipsync(sandbox)).rejects.toThrow();
    expect(await jobs(sandbox)).toHaveLength(2);
    await control(sandbox, 'PUT /switches', { hangNext: 1 });
    const hanging = lipsync(sandbox, { video_id: await sourceId(sandbox) }).catch(() => 'cut');
    await vi.waitFor(async () => expect(await jobs(sandbox)).toHaveLength(3), { timeout: 60_000 });
    await sandbox.close();
    expect(await hanging).toBe('cut');
  });

  it('answer the next lip-syncs with given statuses and with the limit of PixVerse', async () => {
    const sandbox = await openSandbox();
    const switches = { statusNext: [412, 596], providerLimitNext: 1 };
    await control(sandbox, 'PUT /switches', switches);
    const replies = [await lipsync(sandbox), await lipsync(sandbox), await lipsync(sandbox)];
    expect(replies.map(({ status }) => status)).toEqual([412, 596, 429]);
    expect(replies[2]?.json.error).toBe('Reached the limit for concurrent generations.');
    expect((await lipsync(sandbox)).status).toBe(200);
  });

  it('give an account a pending error until it is connected again', async () => {
    const sandbox = await openSandbox();
    await control(sandbox, 'PUT /switches', { account596: STUDIO });
    expect((await lipsync(sandbox)).status).toBe(596);
    const features = `GET /features?email=${encodeURIComponent(STUDIO)}`;
    expect((await ask(sandbox, features)).status).toBe(596);
    const shown = await ask(sandbox, `GET /accounts/${STUDIO}`);
    expect(shown.json.error).toContain('pending error');
    const video_id = await sourceId(sandbox, BACKLOT);
    expect((await lipsync(sandbox, { video_id })).status).toBe(200);
    const body = { password: 'new', maxJobs: 3 };
    expect((await ask(sandbox, `POST /accounts/${STUDIO}`, { body })).status).toBe(201);
    expect((await ask(sandbox, features)).status).toBe(200);
    expect((await lipsync(sandbox)).status).toBe(200);
  });

  it('take all credits from an account', async () => {
    const sandbox = await openSandbox();
    await control(sandbox, 'PUT /switches', { account412: STUDIO });
    expect((await lipsync(sandbox)).status).toBe(412);
    const { json } = await ask(sandbox, `GET /features?email=${encodeURIComponent(STUDIO)}`);
    expect(json.credit_monthly).toBe(0);
    await control(sandbox, 'PUT /switches', { account412: null });
    expect((await lipsync(sandbox)).status).toBe(200);
  });

  it('have the effects of phrases on every job, and select other readings of the documentation', async () => {
    const sandbox = await openSandbox();
    const receiver = await openReceiver();
    await control(sandbox, 'PUT /switches', {
      queuedMs: 60_000,
      urlWhileRunning: true,
      queuedFinal: true,
      getOne: '200',
      replyRefInLists: true,
      replyRefInScheduler: false,
      nextOffset: true,
      costCredits: true,
      deleteBody: 'json',
      callbackShape: 'nested',
    });
    const made = await lipsync(sandbox, { replyRef: 'mine', replyUrl: receiver.url });
    expect(made.json.cost_credits).toBe(20);
    const one = await ask(sandbox, `GET /videos/${made.json.video_id}`);
    expect(one.json).toMatchObject({
      video_status: 5,
      video_status_final: true,
      replyRef: 'mine',
      url: expect.stringContaining('/results/'),
    });
    const list = await ask(sandbox, `GET /videos?email=${encodeURIComponent(STUDIO)}&limit=1`);
    expect(list.json).toMatchObject({ next_offset: 1, has_more: true });
    expect((await ask(sandbox, 'GET /scheduler')).text).not.toContain('mine');
    await control(sandbox, `POST /jobs/${made.json.video_id}/finish`, { status: 'FAILED' });
    await vi.waitFor(() => expect(receiver.bodies).toHaveLength(1), { timeout: 60_000 });
    expect(receiver.bodies[0]).toMatchObject({ errCode: 8, response: { replyRef: 'mine' } });
    const gone = await ask(sandbox, `DELETE /videos/${made.json.video_id}`);
    expect([gone.status, gone.json]).toEqual([200, { video_id: made.json.video_id }]);
  });

  it.each([
    ['final-only', ['COMPLETED']],
    ['many', [...Array(5).fill('GENERATING'), 'COMPLETED']],
    ['normal', ['GENERATING', 'COMPLETED']],
  ])('send %s callbacks', async (callbacks, expected) => {
    const sandbox = await openSandbox();
    const receiver = await openReceiver();
    await control(sandbox, 'PUT /switches', { callbacks });
    const { video_id } = (await lipsync(sandbox, { replyRef: 'r', replyUrl: receiver.url })).json;
    await vi.waitFor(() => expect(receiver.bodies).toHaveLength(expected.length), 60_000);
    expect(receiver.bodies.map((body) => body.video_status_name)).toEqual(expected);
    expect(receiver.bodies.at(-1)).toEqual({
      ...(await finalItem(sandbox, video_id)),
      replyRef: 'r',
    });
    expect(receiver.requests[0]?.headers['content-type']).toBe('application/json');
  });
});

describe('the request log', () => {
  it('has each request and its status, without secrets', async () => {
    const sandbox = await openSandbox();
    await lipsync(sandbox, { video_id: await sourceId(sandbox), replyRef: 'seen' });
    await ask(sandbox, `POST /accounts/${STUDIO}`, { body: { password: 'hush', maxJobs: 3 } });
    await lipsync(sandbox, { prompt: '[[cut]]' }).catch(() => undefined);
    const { text } = await control(sandbox, 'GET /requests');
    const entries = JSON.parse(text) as Json[];
    expect(text).not.toContain(sandbox.token);
    expect(text).not.toContain('hush');
    expect(entries[1]).toMatchObject({
      sequence: 2,
      method: 'POST',
      path: '/videos/lipsync',
      body: { replyRef: 'seen', prompt: 'Good evening.' },
      status: 200,
      headers: { authorization: 'Bearer …', 'content-type': 'application/json' },
    });
    expect(entries[0]?.path).toBe(`/videos/?email=${encodeURIComponent(STUDIO)}`);
    expect(entries.at(-1)?.status).toBe('cut');
    await control(sandbox, 'DELETE /requests');
    expect((await control(sandbox, 'GET /requests')).text).toBe('[]');
  });
});

describe('the control', () => {
  it('ends a job with a given status', async () => {
    const sandbox = await openSandbox({ queuedMs: 60_000 });
    for (const status of ['COMPLETED', 'FAILED', 'MODERATED']) {
      const { video_id } = (await lipsync(sandbox)).json;
      const reply = await control(sandbox, `POST /jobs/${video_id}/finish`, { status });
      expect(reply.json).toMatchObject({ video_id, status });
      expect((await ask(sandbox, `GET /videos/${video_id}`)).json.video_status_name).toBe(status);
    }
    expect((await control(sandbox, 'POST /jobs/none/finish', { status: 'FAILED' })).status).toBe(
      404,
    );
  });

  it('resets to the state of the first start', async () => {
    const sandbox = await openSandbox();
    const before = await listVideos(sandbox);
    await lipsync(sandbox);
    await ask(sandbox, `DELETE /videos/${before[0]?.video_id}`);
    await ask(sandbox, `DELETE /accounts/${BACKLOT}`);
    await control(sandbox, 'PUT /switches', { delayMs: 5 });
    await control(sandbox, 'POST /reset');
    expect(await listVideos(sandbox)).toEqual(before);
    expect((await control(sandbox, 'GET /jobs')).json).toMatchObject({
      jobs: [],
      accounts: { [STUDIO]: { highWater: 0 }, [BACKLOT]: {} },
    });
    expect((await control(sandbox, 'GET /switches')).json).toEqual({});
  });

  it('rejects requests of web pages', async () => {
    const sandbox = await openSandbox();
    const reply = await fetch(`${sandbox.origin}/_sandbox/reset`, {
      method: 'POST',
      headers: { origin: 'https://evil.example' },
    });
    expect(reply.status).toBe(403);
    expect((await control(sandbox, 'GET /nothing')).status).toBe(404);
  });
});
