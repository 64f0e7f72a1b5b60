import { describe, expect, it, vi } from 'vitest';
import {
  ask,
  email,
  expectError,
  expectItem,
  finishedVideo,
  type Item,
  isLive,
  list,
  mustNotSpend,
  post,
  read,
  untilFinal,
  uploadSpeech,
} from './upstream.ts';

describe('every endpoint', () => {
  it.each([
    'GET /videos/',
    'GET /videos/voices',
    'GET /features',
    'GET /accounts',
    'GET /scheduler/',
    'GET /scheduler/available',
    'POST /videos/lipsync',
  ])('%s refuses a wrong token with 401', async (target) => {
    const init = target.startsWith('POST') ? { body: '{}', type: 'application/json' } : {};
    expectError(await ask(target, { ...init, token: 'user:1-wrong' }), 401);
  });
});

describe('reads', () => {
  it('accounts are an object keyed by e-mail', async () => {
    for (const [key, account] of Object.entries(read(await ask('GET /accounts')))) {
      expect(account).toMatchObject({ email: key });
      expect((account as Item).maxJobs).toSatisfy((jobs: number) => jobs >= 1 && jobs <= 8);
    }
    expect(read(await ask(`GET /accounts/${email}`)).email).toBe(email);
    expect((await ask('GET /accounts/unknown@contract.example')).status).toBe(404);
  });

  it('features have credits as numbers', async () => {
    const reply = await ask(`GET /features/?email=${encodeURIComponent(email)}`);
    expect(reply.status).toBe(200);
    for (const field of ['credit_daily', 'credit_monthly', 'credit_package']) {
      expect(typeof (read(reply)[field] ?? 0)).toBe('number');
    }
  });

  it('voices have a decimal string as id, a name and a preview', async () => {
    const reply = await ask(`GET /videos/voices/?email=${encodeURIComponent(email)}`);
    const voices = read(reply).tts_list as Item[];
    expect(voices.length).toBeGreaterThanOrEqual(5);
    for (const voice of voices.slice(0, 5)) {
      expect(voice.speaker_id).toMatch(/^\d+$/);
      expect(voice.display_name).toMatch(/\w/);
      expect(URL.canParse(String(voice.url).trim())).toBe(true);
    }
    expect(voices.slice(0, 5).map((voice) => voice.display_name)).toEqual([
      'Emily',
      'James',
      'Isabella',
      'Liam',
      'Chloe',
    ]);
  });

  it('videos are a list in `data`, with limit, and offset as a position', async () => {
    const videos = await list();
    expect(videos.length).toBeLessThanOrEqual(40);
    for (const item of videos) expectItem(item);
    expect(await list('&limit=1')).toHaveLength(1);
    const [second] = await list('&limit=1&offset=1');
    expect(second?.video_id).toBe(videos[1]?.video_id);
    const withoutSlash = await ask(`GET /videos?email=${encodeURIComponent(email)}&limit=1`);
    expect(withoutSlash.status).toBe(200);
  });

  it('a finished video is read by its raw id as a bare item', async () => {
    const { video_id } = await finishedVideo();
    const reply = await ask(`GET /videos/${video_id}`);
    expect(reply.status).toBe(200);
    expectItem(read(reply));
    expect(read(reply).video_id).toBe(video_id);
  });

  it('a percent-encoded id is refused with 400, and an unknown one with 404', async () => {
    const video_id = String((await finishedVideo()).video_id);
    expect((await ask(`GET /videos/${encodeURIComponent(video_id)}`)).status).toBe(400);
    expect((await ask(`GET /videos/${video_id.replace(/\d+$/, '1')}`)).status).toBe(404);
  });

  it('the scheduler is a bare array, and the capacity an object', async () => {
    expect(Array.isArray(JSON.parse((await ask('GET /scheduler')).text))).toBe(true);
    const capacity = read(await ask('GET /scheduler/available/'));
    expect(Array.isArray(capacity.executing)).toBe(true);
    const own = (capacity.available as Item[]).find((each) => each.email === email);
    expect(own).toMatchObject({
      maxJobs: expect.any(Number),
      executing: expect.any(Number),
      available: expect.any(Number),
    });
  });

  it('stopping a job that is not running answers 404', async () => {
    const { video_id } = await finishedVideo();
    expect((await ask(`DELETE /scheduler/${video_id}`)).status).toBe(404);
  });
});

describe('uploads', () => {
  it('of audio are answered with a path', async () => {
    const { path, url } = await uploadSpeech();
    expect(path).toMatch(/\S/);
    expect(URL.canParse(String(url))).toBe(true);
  });

  it('of an unlisted type are refused', async () => {
    const reply = await ask(`POST /files?email=${encodeURIComponent(email)}`, {
      body: 'text',
      type: 'text/plain',
    });
    expect(reply.status).toSatisfy((status: number) => status >= 400 && status < 500);
  });
});

describe('lip-syncs', () => {
  it('without any input are refused with 400', async () => {
    expectError(await post('/videos/lipsync', {}), 400);
  });

  it.skipIf(mustNotSpend)('with maxJobs over 8 or a text over 200 are refused', async () => {
    const { video_id } = await finishedVideo();
    expectError(await post('/videos/lipsync', { video_id, prompt: 'Hi', maxJobs: 9 }), 400);
    expectError(await post('/videos/lipsync', { video_id, prompt: 'a'.repeat(201) }), 400);
  });

  it.skipIf(mustNotSpend)(
    'with uploaded audio are listed at once, complete and can be deleted',
    { timeout: untilFinal.timeout * 2 },
    async () => {
      const source = await finishedVideo();
      const { path } = await uploadSpeech();
      const replyRef = `contract ${Date.now()}`;
      const made = await post('/videos/lipsync/', {
        video_id: source.video_id,
        audio_path: path,
        replyRef,
      });
      expect([made.status, made.text]).toEqual([200, expect.stringContaining('video_id')]);
      const id = String(read(made).video_id);
      expect(id).toMatch(/^user:\d+-pixverse:.+-video:\d+$/);
      expect(id.split('-video:')[0]).toBe(String(source.video_id).split('-video:')[0]);
      await expectTracked(id, replyRef);
      expect((await list()).map((item) => item.video_id)).toContain(id);

      const item = await vi.waitFor(async () => {
        const reply = await ask(`GET /videos/${id}`);
        expect(reply.status).toBe(200);
        expect(['COMPLETED', 'FAILED', 'MODERATED']).toContain(read(reply).video_status_name);
        return read(reply);
      }, untilFinal);
      expectItem(item);
      expect(item.video_status_name).toBe('COMPLETED');
      expect(item.output_width).toBeGreaterThan(0);
      const video = await fetch(String(item.url));
      expect(video.status).toBe(200);
      expect(
        Buffer.from(await video.arrayBuffer())
          .subarray(4, 8)
          .toString(),
      ).toBe('ftyp');

      const gone = await ask(`DELETE /videos/${id}`);
      expect(gone.status).toSatisfy((status: number) => status >= 200 && status < 300);
      await vi.waitFor(async () => {
        expect((await list()).map((each) => each.video_id)).not.toContain(id);
      }, untilFinal);
    },
  );

  it.skipIf(mustNotSpend)(
    'with a text, sent as multipart, release their slot when tracking stops',
    { timeout: untilFinal.timeout * 2 },
    async () => {
      const form = new FormData();
      form.set('video_id', String((await finishedVideo()).video_id));
      form.set('prompt', 'Good evening.');
      form.set('speaker_id', '1');
      const made = await ask('POST /videos/lipsync', { body: form });
      expect([made.status, made.text]).toEqual([200, expect.stringContaining('video_id')]);
      const id = String(read(made).video_id);
      const stopped = await ask(`DELETE /scheduler/${id}`);
      expect(stopped.status).toSatisfy((status: number) => status >= 200 && status < 300);
      expect((await ask(`DELETE /scheduler/${id}`)).status).toBe(404);
      await vi.waitFor(
        async () => expect((await ask(`GET /videos/${id}`)).status).toBe(200),
        untilFinal,
      );
      await ask(`DELETE /videos/${id}`);
    },
  );

  /** A running job is in the scheduler. The name of its id differs by revision. */
  async function expectTracked(id: string, replyRef: string) {
    const running = JSON.parse((await ask('GET /scheduler/')).text) as Item[];
    const own = running.find((job) => [job.id, job.videoId, job.video_id].includes(id));
    expect(own).toBeDefined();
    expect(own?.started).toMatch(/^\d{4}-\d\d-\d\dT[\d:]+\.\d+Z$/);
    expect(own?.replyRef ?? replyRef).toBe(replyRef);
  }
});

describe.skipIf(isLive)('accounts', () => {
  it('are created with 201 and removed', async () => {
    const path = '/accounts/contract@sandbox.example';
    expectError(await post(path, { email: 'contract@sandbox.example' }), 400);
    const made = await post(path, {
      email: 'contract@sandbox.example',
      password: 'secret',
      maxJobs: 2,
    });
    expect(made.status).toBe(201);
    expect(made.text).not.toContain('secret"');
    expect(read(await ask(`GET ${path}`)).maxJobs).toBe(2);
    const withoutEmail = await ask('GET /videos/');
    expect(withoutEmail.status).toBe(400);
    expect((await ask(`DELETE ${path}`)).status).toBeLessThan(300);
    expect((await ask(`GET ${path}`)).status).toBe(404);
  });
});
