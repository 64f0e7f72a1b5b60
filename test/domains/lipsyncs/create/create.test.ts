import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { encodeId, keyOf } from '../../../../src/graphql/ids.ts';
import {
  apiKeys,
  expectSoundLog,
  idOf,
  type LipsyncApp,
  signInAs,
  startLipsyncApp,
} from '../../../support/lipsync-app.ts';
import { createUpload, downloadVideo, uploadFile } from '../../../support/uploads.ts';
import { wavHeader } from '../../../support/wav.ts';

let app: LipsyncApp;
let video: string;
beforeAll(async () => {
  app = await startLipsyncApp({
    env: { API_KEYS: apiKeys('ann', 'bob'), ALLOW_ANONYMOUS: 'true' },
    sandbox: { accounts: [{ email: 'studio@sandbox.example', maxJobs: 5 }] },
  });
  [video = ''] = await app.listVideoIds();
});
afterAll(() => app.stop());
beforeEach(() => app.sendFinalCallbacksOnly());

const speech = (text: string, voiceId?: string) => ({
  script: { text, ...(voiceId === undefined ? {} : { voiceId }) },
});

/** A silent WAV with 8000 bytes per second. */
function wav(seconds: number): Uint8Array<ArrayBuffer> {
  const size = Math.round(seconds * 8_000);
  const header = wavHeader(size, { bytesPerSample: 1 });
  return new Uint8Array(Buffer.concat([header, Buffer.alloc(size, 0x80)]));
}

describe('works', () => {
  it('speaks a text: the POST carries the documented fields and nothing else', async () => {
    const voiceId = encodeId('Voice', '3');
    const made = await app.create({
      video: { videoId: video },
      speech: speech('Hello there', voiceId),
      keepOriginalSound: true,
      maxJobs: 2,
      reference: 'order 7',
    });
    expect(made).toMatchObject({
      __typename: 'CreateLipsyncSuccess',
      replayed: false,
      lipsync: { status: 'SUBMITTED', reference: 'order 7', text: 'Hello there' },
    });
    const key = keyOf('Lipsync', idOf(made));
    const [post, ...others] = await app.postsOf(idOf(made));
    expect(others).toEqual([]);
    const upstreamId = await app.services.videos.ids.toUpstream(keyOf('Video', video) ?? '');
    expect(upstreamId).toMatch(/^user:\d+-pixverse:studio@sandbox\.example-video:\d+$/);
    expect(post?.body).toEqual({
      video_id: upstreamId,
      prompt: 'Hello there',
      speaker_id: 3,
      original_sound_switch: true,
      replyUrl: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/callbacks\/[\w.-]+$/),
      replyRef: key,
      maxJobs: 2,
    });
    const ended = await app.waitForEnd(idOf(made));
    expect(ended).toMatchObject({
      status: 'COMPLETED',
      failure: null,
      progress: { percent: 100, queuePosition: null },
      result: { status: 'COMPLETED', url: expect.stringMatching(/^http/) },
    });
    const events = await app.readEvents(idOf(made));
    expectSoundLog(events);
    expect(events.map(({ status }) => status)).toEqual(
      expect.arrayContaining(['SUBMITTING', 'SUBMITTED', 'COMPLETED']),
    );
  });

  it('leaves out options that the request left out', async () => {
    const made = await app.create({ video: { videoId: video }, speech: speech('Plain') });
    const [post] = await app.postsOf(idOf(made));
    expect(Object.keys(post?.body ?? {}).toSorted()).toEqual(
      ['prompt', 'replyRef', 'replyUrl', 'video_id'].toSorted(),
    );
    await app.waitForEnd(idOf(made));
  });

  it('uses an uploaded audio and an uploaded video, in an account that the server chooses', async () => {
    const audioId = await uploadFile(app, 'AUDIO', wav(1));
    const uploadId = await uploadFile(app, 'VIDEO', await downloadVideo(app));
    const made = await app.create({
      video: { uploadId },
      speech: { uploadId: audioId },
      offPeak: true,
    });
    expect(made.__typename).toBe('CreateLipsyncSuccess');
    const [post] = await app.postsOf(idOf(made));
    expect(post?.body).toEqual({
      video_path: expect.stringMatching(/^upload\//),
      audio_path: expect.stringMatching(/^upload\//),
      email: 'studio@sandbox.example',
      off_peak_mode: true,
      replyUrl: expect.any(String),
      replyRef: keyOf('Lipsync', idOf(made)),
    });
    expect(post?.body?.video_path).not.toBe(post?.body?.audio_path);
    expect((await app.waitForEnd(idOf(made))).status).toBe('COMPLETED');
  });

  it('lowers maxJobs for the account and never raises it', async () => {
    const made = await app.create({
      video: { videoId: video },
      speech: speech('Many'),
      maxJobs: 8,
    });
    const [post] = await app.postsOf(idOf(made));
    expect(post?.body?.maxJobs).toBe(5);
    await app.waitForEnd(idOf(made));
  });

  it('counts code points: accepts 200 characters of text, also characters beyond 16 bits', async () => {
    const made = await app.create({ video: { videoId: video }, speech: speech('😀'.repeat(200)) });
    expect(made.__typename).toBe('CreateLipsyncSuccess');
    await app.waitForEnd(idOf(made));
  });

  it('uses the result of an earlier lip-sync as source', async () => {
    const first = await app.create({ video: { videoId: video }, speech: speech('First') });
    const { result } = await app.waitForEnd(idOf(first));
    const second = await app.create({ video: { videoId: result?.id }, speech: speech('Second') });
    expect(second.__typename).toBe('CreateLipsyncSuccess');
    expect((await app.waitForEnd(idOf(second))).status).toBe('COMPLETED');
  });

  it('accepts a cost with a fraction and does not lose the job', async () => {
    await app.turn({
      failPath: {
        path: '/videos/lipsync',
        effect: 'after',
        status: 200,
        body: {
          video_id: 'user:1001-pixverse:studio@sandbox.example-video:999',
          cost_credits: 7.5,
        },
      },
    });
    const made = await app.create({ video: { videoId: video }, speech: speech('Cost') });
    expect(made).toMatchObject({
      __typename: 'CreateLipsyncSuccess',
      lipsync: { status: 'SUBMITTED', creditsCharged: 7.5 },
    });
    await app.cancel(idOf(made));
  });
});

describe('refuses', () => {
  const past = '2020-01-01T00:00:00Z';
  const fine = () => ({ video: { videoId: video }, speech: speech('Hello') });
  const at = (...path: string[]) => ['input', ...path];
  const invalid: [string, () => Record<string, unknown>, string[], string][] = [
    ['an empty text', () => ({ speech: speech('') }), at('speech', 'script', 'text'), 'REQUIRED'],
    [
      'a text of white space',
      () => ({ speech: speech(' \n ') }),
      at('speech', 'script', 'text'),
      'REQUIRED',
    ],
    [
      'a text of 201 characters',
      () => ({ speech: speech('é'.repeat(201)) }),
      at('speech', 'script', 'text'),
      'TOO_LONG',
    ],
    ['a text with U+0000', () => ({ speech: speech('a\0b') }), at(), 'INVALID_CHARACTER'],
    ['a reference of 1025', () => ({ reference: 'x'.repeat(1025) }), at('reference'), 'TOO_LONG'],
    ['a key of no character', () => ({ idempotencyKey: '' }), at('idempotencyKey'), 'REQUIRED'],
    ['a key of 256', () => ({ idempotencyKey: 'x'.repeat(256) }), at('idempotencyKey'), 'TOO_LONG'],
    ['no job at all', () => ({ maxJobs: 0 }), at('maxJobs'), 'OUT_OF_RANGE'],
    ['nine jobs', () => ({ maxJobs: 9 }), at('maxJobs'), 'OUT_OF_RANGE'],
    ['an expiry in the past', () => ({ expiresAt: past }), at('expiresAt'), 'OUT_OF_RANGE'],
    [
      'a callback by ftp',
      () => ({ callbackUrl: 'ftp://a.example/' }),
      at('callbackUrl'),
      'INVALID_FORMAT',
    ],
    [
      'a callback with a password',
      () => ({ callbackUrl: 'https://a:b@c.example/' }),
      at('callbackUrl'),
      'INVALID_FORMAT',
    ],
    [
      'a callback with U+0000',
      () => ({ callbackUrl: 'https://c.example/\0' }),
      at(),
      'INVALID_CHARACTER',
    ],
    [
      'a text with half of a surrogate pair',
      () => ({ speech: speech('a\ud800') }),
      at(),
      'INVALID_CHARACTER',
    ],
    [
      'a key with half of a surrogate pair',
      () => ({ idempotencyKey: '\ud800' }),
      at(),
      'INVALID_CHARACTER',
    ],
    [
      'a reference with half of a surrogate pair',
      () => ({ reference: '\ud800b' }),
      at(),
      'INVALID_CHARACTER',
    ],
    [
      'an unknown voice',
      () => ({ speech: speech('Hi', encodeId('Voice', '9999')) }),
      at('speech', 'script', 'voiceId'),
      'UNKNOWN_ID',
    ],
    [
      'an invalid voice id',
      () => ({ speech: speech('Hi', 'rubbish') }),
      at('speech', 'script', 'voiceId'),
      'UNKNOWN_ID',
    ],
    [
      'a private callback address',
      () => ({ callbackUrl: 'http://10.0.0.1/' }),
      at('callbackUrl'),
      'NOT_ALLOWED',
    ],
    [
      'a video by a URL of this network',
      () => ({ video: { url: 'http://10.0.0.1/one.mp4' } }),
      at('video', 'url'),
      'NOT_ALLOWED',
    ],
    [
      'a sound by a URL with a password',
      () => ({ speech: { url: 'https://user:secret@sounds.example/one.mp3' } }),
      at('speech', 'url'),
      'INVALID_FORMAT',
    ],
  ];

  it.each(invalid)('%s', async (...[, change, path, code]) => {
    const before = (await app.posts()).length;
    const made = await app.create({ ...fine(), ...change() });
    expect(made).toMatchObject({
      __typename: 'InvalidInputError',
      code: 'INVALID_INPUT',
      retryable: false,
      issues: [{ path, code }],
    });
    expect(await app.posts()).toHaveLength(before);
  });

  it('several mistakes at once, all reported together', async () => {
    const made = await app.create({ ...fine(), maxJobs: 0, idempotencyKey: '' });
    expect(made.issues?.map(({ path }) => path.at(-1))).toEqual(['maxJobs', 'idempotencyKey']);
  });

  it('uploads that are unknown, unfinished, of another owner or of the wrong kind', async () => {
    const before = (await app.posts()).length;
    const audio = await uploadFile(app, 'AUDIO', wav(1));
    const { id: waiting } = await createUpload(app);
    const unknown = encodeId('Upload', '00000000-0000-4000-8000-000000000000');
    for (const uploadId of [unknown, 'rubbish', waiting, video]) {
      const made = await app.create({ video: { videoId: video }, speech: { uploadId } });
      expect(made).toMatchObject({ __typename: 'NotFoundError', code: 'NOT_FOUND' });
    }
    const foreign = await app.create(
      { video: { videoId: video }, speech: { uploadId: audio } },
      signInAs('ann'),
    );
    expect(foreign).toMatchObject({ __typename: 'NotFoundError' });
    const asVideo = await app.create({ video: { uploadId: audio }, speech: speech('Hi') });
    expect(asVideo).toMatchObject({
      __typename: 'InvalidInputError',
      issues: [{ path: at('video', 'uploadId') }],
    });
    expect(await app.posts()).toHaveLength(before);
  });

  it('videos that are unknown, named by another kind of id, or not finished', async () => {
    for (const id of ['rubbish', encodeId('Video', 'AAAAAAAA-1'), encodeId('Voice', '1')]) {
      expect(await app.create({ video: { videoId: id }, speech: speech('Hi') })).toMatchObject({
        __typename: 'NotFoundError',
      });
    }
    const running = await app.create({ video: { videoId: video }, speech: speech('[[never]] x') });
    const job = await app.jobOf(idOf(running));
    const key = await app.services.videos.ids.toKey(job?.video_id ?? '');
    const made = await app.create({
      video: { videoId: encodeId('Video', key) },
      speech: speech('Hi'),
    });
    expect(made).toMatchObject({
      __typename: 'InvalidInputError',
      issues: [{ path: at('video', 'videoId') }],
    });
    await app.cancel(idOf(running));
  });
});

describe('keeps out', () => {
  it("another owner's lip-syncs: every operation answers as if they did not exist", async () => {
    const made = await app.create(
      { video: { videoId: video }, speech: speech('[[never]] mine') },
      signInAs('ann'),
    );
    const id = idOf(made);
    const missing = encodeId('Lipsync', '00000000-0000-4000-8000-000000000000');
    for (const headers of [signInAs('bob'), {}]) {
      expect(await app.read(id, headers)).toBeNull();
      expect(await app.cancel(id, headers)).toEqual(await app.cancel(missing, headers));
      expect(await app.delete(id, headers)).toEqual(await app.delete(missing, headers));
      const node = await app.askForData(
        'query ($id: ID!) { node(id: $id) { id } }',
        { id },
        headers,
      );
      expect(node).toEqual({ node: null });
    }
    expect(await app.read(id, signInAs('ann'))).toMatchObject({ id });
    expect((await app.cancel(id, signInAs('ann'))).__typename).toBe('LipsyncTrackingStopped');
  });
});
