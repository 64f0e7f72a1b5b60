import { describe, expect, test } from 'vitest';
import { accountEmailOf, isSameVideo } from '../../../src/domains/videos/endpoints.ts';
import { listVideos } from '../../../src/domains/videos/list-endpoint.ts';
import { isUnclear, statusOf } from '../../../src/domains/videos/status.ts';
import { connect, serveAnswer } from '../../upstream/servers.ts';

const url = 'https://media.example/v.mp4';

async function readOne(item: object) {
  const running = { video_id: 'v1', video_status: 10, video_status_name: 'GENERATING', url };
  const served = await serveAnswer(200, { data: [{ ...running, ...item }] });
  const page = await listVideos(connect(served.baseUrl).upstream, { limit: 20, offset: 0 });
  return page.items[0];
}

describe('the status of a video', () => {
  test.each([
    // The documented pairs.
    ['COMPLETED', 1, url, 'COMPLETED'],
    ['QUEUED', 5, '', 'QUEUED'],
    ['MODERATED', 7, '', 'MODERATED'],
    ['FAILED', 8, '', 'FAILED'],
    ['GENERATING', 9, '', 'GENERATING'],
    ['GENERATING', 10, url, 'GENERATING'],
    // The name decides, in any letter case; without a known name the code decides.
    ['QUEUED', 1, url, 'QUEUED'],
    ['completed ', 10, url, 'COMPLETED'],
    [null, 1, url, 'COMPLETED'],
    [null, 5, '', 'QUEUED'],
    [null, 7, '', 'MODERATED'],
    ['RENDERING', 9, url, 'GENERATING'],
    [null, 10, url, 'GENERATING'],
    // COMPLETED needs a URL.
    ['COMPLETED', 1, '', 'GENERATING'],
    ['COMPLETED', 1, null, 'GENERATING'],
    // Unknown.
    ['RENDERING', 42, url, 'UNKNOWN'],
    [null, null, null, 'UNKNOWN'],
    ['UNKNOWN', null, url, 'UNKNOWN'],
    ['__proto__', 0, url, 'UNKNOWN'],
  ])('%s, %s with url %j is %s', (...row) => {
    const [name, code, address, status] = row;
    for (const isFinal of [null, false]) {
      expect(statusOf({ name, code, isFinal, url: address })).toBe(status);
    }
  });

  // Such a video once stayed UNKNOWN.
  test('is COMPLETED for a final item with a URL but without name and code', () => {
    const reported = { name: null, code: null, isFinal: true };
    expect(statusOf({ ...reported, url })).toBe('COMPLETED');
    // Without a URL the video may be FAILED, or even QUEUED.
    expect(statusOf({ ...reported, url: null })).toBe('UNKNOWN');
    expect(statusOf({ ...reported, isFinal: false, url })).toBe('UNKNOWN');
    expect(statusOf({ ...reported, code: 42, url })).toBe('UNKNOWN');
    expect(statusOf({ ...reported, name: 'RENDERING', url })).toBe('UNKNOWN');
  });

  test.each([
    ['COMPLETED', 1, url, false],
    ['COMPLETED', 1, null, true],
    [null, null, url, true],
    ['RENDERING', 42, null, true],
    ['QUEUED', 5, null, false],
    ['FAILED', null, null, false],
  ])('%s, %s with url %j is unclear: %s', (...row) => {
    const [name, code, address, expected] = row;
    expect(isUnclear({ name, code, isFinal: null, url: address })).toBe(expected);
  });

  test.each([
    ['QUEUED', 5, false],
    ['GENERATING', 10, false],
    ['RENDERING', 42, false],
    ['COMPLETED', 1, true],
    ['MODERATED', 7, true],
    ['FAILED', 8, true],
  ])('whether %s is final does not depend on video_status_final', async (name, code, isFinal) => {
    for (const reported of [true, false, 1, 0, 'true', null, undefined]) {
      const video = await readOne({
        video_status_name: name,
        video_status: code,
        video_status_final: reported,
      });
      expect(video?.isFinal).toBe(isFinal);
    }
  });

  test('hides the URL of a running video', async () => {
    expect(await readOne({})).toMatchObject({ status: 'GENERATING', isFinal: false, url: null });
    expect(await readOne({ video_status: 1, video_status_name: 'COMPLETED' })).toMatchObject({
      url,
    });
  });
});

test.each([
  ['user:7-pixverse:a@b.c-video:1', 'a@b.c'],
  ['user:7-pixverse:a-video:b@c.d-video:1', 'a-video:b@c.d'],
  ['user:7-pixverse:a-pixverse:b@c.d-video:1', 'a-pixverse:b@c.d'],
  ['user:7-pixverse:a@b.c-image:1', null],
  ['user:7-pixverse:-video:1', null],
  ['user:7-pixverse:a@b.c-video:x', null],
  ['7', null],
])('the account of %s is %s', (text, email) => {
  expect(accountEmailOf(text)).toBe(email);
});

test.each([
  ['user:7-pixverse:a@b.c-video:12', 'user:7-pixverse:a@b.c-video:12', true],
  ['user:7-pixverse:a@b.c-video:12', '12', true],
  ['12', 'user:7-pixverse:a@b.c-video:12', true],
  ['user:7-pixverse:a@b.c-video:12', '2', false],
  ['user:7-pixverse:a@b.c-video:12', 'video:12', false],
  ['user:7-pixverse:a@b.c-image:12', '12', false],
  ['user:7-pixverse:a@b.c-video:12', 'user:7-pixverse:d@b.c-video:12', false],
  ['user:7-pixverse:a@b.c-video:12', '', false],
])('%s and %s are one video: %s', (one, other, isSame) => {
  expect(isSameVideo(one, other)).toBe(isSame);
});
