import { describe, expect, test } from 'vitest';
import {
  listAvailable,
  listScheduled,
  postLipsync,
  stopTracking,
} from '../../../src/domains/lipsyncs/endpoints.ts';
import { findFreePort } from '../../support/free-port.ts';
import { connect, secrets, serveAnswer, serveTcp, thrownBy } from '../../upstream/servers.ts';

const id = `user:7-pixverse:${secrets.email}-video:370538497751884`;
const input = { videoId: id, prompt: 'Hello', replyUrl: 'https://us.example/c', replyRef: 'r-1' };

async function post(status: number, body?: unknown) {
  const served = await serveAnswer(status, body);
  const posted = await postLipsync(connect(served.baseUrl).upstream, input);
  expect(served.requests).toHaveLength(1);
  return posted;
}

describe('a POST is accepted', () => {
  test.each([
    [{ video_id: id }, id, null],
    [{ video_id: id, cost_credits: 12 }, id, 12],
    [{ video_id: id, cost_credits: '12' }, id, 12],
    [{ video_id: id, cost_credits: 0, extra: [] }, id, 0],
    [{ video_id: 370538497751884 }, '370538497751884', null],
    [{ video_id: id, error: 'a warning' }, id, null],
  ])('with %j', async (body, upstreamVideoId, creditsCharged) => {
    const accepted = { kind: 'accepted', upstreamVideoId, creditsCharged };
    expect(await post(200, body)).toEqual(accepted);
    expect(await post(201, body)).toEqual(accepted);
  });
});

describe('a POST is rejected', () => {
  test.each([
    [400, 'INVALID_INPUT'],
    [401, 'UPSTREAM_UNAUTHORIZED'],
    [402, 'SUBSCRIPTION_EXPIRED'],
    [404, 'NOT_FOUND'],
    [412, 'INSUFFICIENT_CREDITS'],
    [422, 'CONTENT_MODERATED'],
    [429, 'RATE_LIMITED'],
    [596, 'ACCOUNT_PENDING'],
  ])('with %i, with any body', async (status, code) => {
    const error = `Account ${secrets.email} of ${secrets.token}: ${secrets.url} ${secrets.path}`;
    for (const body of [{ error }, { error, code: status }, error, '<html>', '', 'null', '{"err']) {
      const posted = await post(status, body);
      expect(posted).toMatchObject({ kind: 'rejected', failure: { code } });
      for (const secret of Object.values(secrets)) {
        expect(JSON.stringify(posted)).not.toContain(secret);
      }
    }
  });

  test.each([
    [`Account ${secrets.email} is busy executing 3 tasks.`, 'ACCOUNT_BUSY'],
    ['All configured accounts are running at maximum capacity.', 'ALL_ACCOUNTS_BUSY'],
    ['Reached the limit for concurrent generations.', 'PROVIDER_LIMIT'],
  ])('with 429 "%s"', async (error, limit) => {
    expect(await post(429, { error })).toMatchObject({ failure: { limit } });
  });
});

describe('the outcome of a POST is unknown', () => {
  test.each([
    [200, {}],
    [200, { video_id: '' }],
    [200, { video_id: 0 }],
    [200, { video_id: null }],
    [200, { video_id: [id] }],
    [200, '{"video_id":37053849775188499999}'],
    [200, { error: 'x' }],
    [200, '<html>'],
    [200, '[]'],
    [200, 'null'],
    [202, { status: 'ok' }],
    [204, undefined],
    [301, undefined],
    [403, { error: 'x' }],
    [409, { error: 'x' }],
    [418, ''],
    [500, { error: 'x' }],
    [502, '<html>'],
    [503, ''],
    [504, ''],
    [595, ''],
    [999, { video_id: id }],
  ])('after %i with %j', async (status, body) => {
    expect(await post(status, body)).toMatchObject({
      kind: 'unknown',
      failure: { code: 'UPSTREAM_UNAVAILABLE', retryable: false },
    });
  });

  test('after a connection that ends without an answer, but not after a refused connection', async () => {
    const cutting = await serveTcp((socket) => socket.once('data', () => socket.destroy()));
    expect(await postLipsync(connect(cutting.baseUrl).upstream, input)).toMatchObject({
      kind: 'unknown',
    });
    expect(cutting.connections).toBe(1);
    const unreachable = connect(`http://127.0.0.1:${await findFreePort()}`).upstream;
    expect(await postLipsync(unreachable, input)).toMatchObject({ kind: 'not-sent' });
  });
});

describe('what a POST sends', () => {
  async function bodyOf(given: Parameters<typeof postLipsync>[1]) {
    const served = await serveAnswer(200, { video_id: id });
    await postLipsync(connect(served.baseUrl).upstream, given);
    expect(served.requests[0]?.path).toBe('/v2/pixverse/videos/lipsync');
    return JSON.parse(String(served.requests[0]?.body));
  }
  const reply = { replyUrl: 'https://us.example/c', replyRef: 'r-1' };

  test('the documented names, without options that were left out', async () => {
    expect(await bodyOf(input)).toEqual({ video_id: id, prompt: 'Hello', ...reply });
    expect(
      await bodyOf({
        ...reply,
        videoPath: 'upload/v.mp4',
        audioPath: 'upload/a.mp3',
        speakerId: '12',
        keepOriginalSound: false,
        offPeak: true,
        email: 'a+b@c.d',
        maxJobs: 3,
      }),
    ).toEqual({
      ...reply,
      video_path: 'upload/v.mp4',
      audio_path: 'upload/a.mp3',
      speaker_id: 12,
      original_sound_switch: false,
      off_peak_mode: true,
      email: 'a+b@c.d',
      maxJobs: 3,
    });
  });

  test('no e-mail beside a video id, which names its account', async () => {
    expect(await bodyOf({ ...input, email: 'a@b.c' })).not.toHaveProperty('email');
  });

  test.each([
    ['auto', 'auto'],
    ['7', 7],
    ['007', 7],
  ])('speaker %s as %j', async (speakerId, sent) => {
    expect(await bodyOf({ ...input, speakerId })).toMatchObject({ speaker_id: sent });
  });
});

describe('the scheduler', () => {
  const jobs = [
    { videoId: 'v1', started: '2024-09-25T01:55:16.128Z', elapsed: '03:57', replyRef: 'r-1' },
    { video_id: 'v2', replyRef: '' },
    { id: 'v3', type: 'video', replyUrl: null },
    { id: 4 },
    { type: 'image' },
    null,
  ];
  const read = [
    { upstreamVideoId: 'v1', replyRef: 'r-1' },
    { upstreamVideoId: 'v2', replyRef: null },
    { upstreamVideoId: 'v3', replyRef: null },
    { upstreamVideoId: '4', replyRef: null },
  ];

  test.each([[jobs], [{ data: jobs }]])('lists jobs by any of their id names', async (body) => {
    const served = await serveAnswer(200, body);
    expect(await listScheduled(connect(served.baseUrl).upstream)).toEqual(read);
    expect(served.requests[0]?.path).toBe('/v2/pixverse/scheduler/');
  });

  test('reads the capacity of each account unchanged', async () => {
    const available = [
      { email: 'a@b.c', maxJobs: 8, executing: 3, available: 2 },
      { email: 'd@e.f', maxJobs: '4' },
      { maxJobs: 1 },
    ];
    const served = await serveAnswer(200, { executing: jobs, available });
    expect(await listAvailable(connect(served.baseUrl).upstream)).toEqual({
      executing: read,
      accounts: [
        { email: 'a@b.c', maxJobs: 8, executing: 3, available: 2 },
        { email: 'd@e.f', maxJobs: 4, executing: null, available: null },
      ],
    });
    expect(served.requests[0]?.path).toBe('/v2/pixverse/scheduler/available');
  });

  test.each([[{}], [{ error: 'x' }], ['"x"'], ['null']])('%j is INVALID_ANSWER', async (body) => {
    const served = await serveAnswer(200, body);
    const { upstream } = connect(served.baseUrl);
    const invalid = { reason: 'INVALID_ANSWER' };
    expect(await thrownBy(listScheduled(upstream))).toMatchObject(invalid);
    expect(await thrownBy(listAvailable(upstream))).toMatchObject(invalid);
  });

  test.each([204, 200, 404])('stops tracking with %i', async (status) => {
    const served = await serveAnswer(status);
    await stopTracking(connect(served.baseUrl).upstream, id);
    expect(served.requests).toMatchObject([
      { method: 'DELETE', path: `/v2/pixverse/scheduler/${id}` },
    ]);
  });

  test('does not stop tracking with 401', async () => {
    const served = await serveAnswer(401);
    const stopped = stopTracking(connect(served.baseUrl).upstream, id);
    expect(await thrownBy(stopped)).toMatchObject({ code: 'UPSTREAM_UNAUTHORIZED' });
  });
});
