import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { deleteVideo, getVideo } from '../../../src/domains/videos/endpoints.ts';
import { listVideos } from '../../../src/domains/videos/list-endpoint.ts';
import { connect, serveAnswer, serveHttp, thrownBy } from '../../upstream/servers.ts';

const id = 'user:7-pixverse:ann-b+c@d.example-video:370538497751884';
const url = 'https://media.example/v.mp4';

/** The documented item of GET /videos, reduced to the fields that are read. */
const documented = {
  video_id: id,
  video_status: 10,
  video_status_name: 'GENERATING',
  video_status_final: false,
  account_id: 1,
  created_at: '2024-11-11T12:34:56Z',
  first_frame: 'https://media.example/first.jpg',
  last_frame: '',
  output_width: 0,
  output_height: 0,
  original_video_id: 0,
  prompt: 'a cat',
  negative_prompt: '',
  model: 'v3',
  quality: '540p',
  seed: 123,
  queue_data: { queue_time: 0, queue_count: 0 },
  video_duration: 0,
  duration: 5,
  lip_sync: {},
  url,
  img_url: 'https://media.example/preview.webp',
  aspect_ratio: '3:4',
  template_i18n_json: '{"a":1}',
  customer_paths: null,
};

async function readOne(item: object) {
  const served = await serveAnswer(200, { data: [{ ...documented, ...item }] });
  const page = await listVideos(connect(served.baseUrl).upstream, { limit: 20, offset: 0 });
  return page.items[0];
}

describe('an item of the list', () => {
  test('is read as documented', async () => {
    expect(await readOne({})).toEqual({
      id,
      accountEmail: 'ann-b+c@d.example',
      status: 'GENERATING',
      isFinal: false,
      isUnclear: false,
      url: null,
      posterUrl: 'https://media.example/first.jpg',
      lastFrameUrl: null,
      previewUrl: 'https://media.example/preview.webp',
      prompt: 'a cat',
      negativePrompt: null,
      model: 'v3',
      quality: '540p',
      aspectRatio: '3:4',
      width: null,
      height: null,
      durationSeconds: 5,
      seed: 123,
      createdAt: new Date('2024-11-11T12:34:56Z'),
      offPeak: false,
      replyRef: null,
      originalVideoId: null,
    });
  });

  test.each([
    [
      { original_video_id: 'user:7-pixverse:a@b.c-video:1' },
      { originalVideoId: 'user:7-pixverse:a@b.c-video:1' },
    ],
    [{ original_video_id: 0 }, { originalVideoId: null }],
    [{ original_video_id: '' }, { originalVideoId: null }],
    [{ lip_sync: null, queue_data: null, prompt: null }, { prompt: null }],
    [
      { output_width: '720', output_height: 1280, seed: '9' },
      { width: 720, height: 1280, seed: 9 },
    ],
    [{ video_duration: '7.5', duration: 5 }, { durationSeconds: 7.5 }],
    [{ video_duration: 0, duration: 0 }, { durationSeconds: null }],
    [{ off_peak: 1 }, { offPeak: true }],
    [{ off_peak: true }, { offPeak: true }],
    [{ off_peak: '0' }, { offPeak: false }],
    [{ created_at: '0001-01-01T00:00:00Z' }, { createdAt: null }],
    [
      { created_at: '2024-11-11T12:34:56.789Z' },
      { createdAt: new Date('2024-11-11T12:34:56.789Z') },
    ],
    [{ created_at: '2024-11-11T12:34:56' }, { createdAt: new Date('2024-11-11T12:34:56Z') }],
    [{ created_at: 'yesterday' }, { createdAt: null }],
    ...[
      ...[1_731_328_496, '1731328496', 1_731_328_496_000, '1731328496000'],
      ...['2024-11-11T12:34:56+00', '2024-11-11 12:34:56 UTC', '2024-11-11 12:34:56 +0000 UTC'],
      ...['2024-11-11T20:34:56 +08:00', '2024-11-11T20:34:56+0800', '2024-11-11T20:34:56+08'],
      'Mon, 11 Nov 2024 12:34:56 GMT',
    ].map((created_at): [object, object] => [
      { created_at },
      { createdAt: new Date('2024-11-11T12:34:56Z') },
    ]),
    [{ created_at: '2024-11-11' }, { createdAt: new Date('2024-11-11') }],
    [{ created_at: 0 }, { createdAt: null }],
    [{ video_status: 'FAILED', video_status_name: undefined }, { status: 'FAILED' }],
    [{ video_status: 'Moderated', video_status_name: null }, { status: 'MODERATED' }],
    [{ video_status: '8', video_status_name: '' }, { status: 'FAILED' }],
    [
      { img_url: 'https://media.example/my video.webp' },
      { previewUrl: 'https://media.example/my%20video.webp' },
    ],
    // PostgreSQL rejects these.
    [{ created_at: '0000-01-01T00:00:00Z' }, { createdAt: null }],
    [{ created_at: '9999-12-31T23:59:59-14:00' }, { createdAt: null }],
    [{ prompt: 'a\0b\ud800' }, { prompt: 'ab\ufffd' }],
    [{ img_url: 'https://media.example/\0a' }, { previewUrl: 'https://media.example/a' }],
    [{ original_video_id: 'v\x001' }, { originalVideoId: null }],
    [{ first_frame: '' }, { posterUrl: 'https://media.example/preview.webp' }],
    [
      { first_frame: '', img_url: 'javascript:alert(1)' },
      { posterUrl: null, previewUrl: null },
    ],
    [{ replyRef: 'r-1' }, { replyRef: 'r-1' }],
    [{ response: { replyRef: 'r-2' } }, { replyRef: 'r-2' }],
    [{ replyRef: '', response: { replyRef: 'r-2' } }, { replyRef: 'r-2' }],
    [{ response: 'text' }, { replyRef: null }],
    [{ video_id: 370538497751884 }, { id: '370538497751884', accountEmail: null }],
  ])('%j becomes %j', async (item, expected) => {
    expect(await readOne(item)).toMatchObject(expected);
  });

  test('is dropped alone if it has no id, and read with any other malformed field', async () => {
    const keys = Object.keys(documented).filter((key) => key !== 'video_id');
    const fields = fc.dictionary(fc.constantFrom(...keys), fc.jsonValue());
    const items = fc.sample(fields, 200).map((sample) => ({ ...documented, ...sample }));
    const unreadable = ['', null, {}, 'v\x001', 'v1\ud800', `${'v'.repeat(512)}1`];
    const broken = [null, 7, 'x', [], {}, ...unreadable.map((id) => ({ video_id: id }))];
    const served = await serveAnswer(200, { data: [...broken, ...items] });
    const { upstream, logged } = connect(served.baseUrl);
    const page = await listVideos(upstream, { limit: 1_000, offset: 0 });
    expect(page.items).toHaveLength(items.length);
    expect(page.rawCount).toBe(items.length + broken.length);
    expect(logged()).toContain(`"dropped":${broken.length}`);
  });
});

describe('a page', () => {
  const page = (count: number, more: object = {}) => ({
    data: Array.from({ length: count }, (_, index) => ({ video_id: `v${index + 1}` })),
    ...more,
  });

  test.each([
    ['full', page(20), { limit: 20, offset: 0 }, { hasMore: true, nextOffset: 20 }],
    ['short', page(4), { limit: 20, offset: 40 }, { mayHaveMore: false, hasMore: false }],
    [
      'that an upstream may have cut',
      page(7),
      { limit: 20, offset: 40 },
      { hasMore: false, mayHaveMore: true, nextOffset: 47 },
    ],
    ['of an upstream that allows 5', page(5), { limit: 40, offset: 0 }, { hasMore: true }],
    ['of an upstream that allows 15', page(15), { limit: 40, offset: 0 }, { hasMore: true }],
    ['empty', page(0), { limit: 20, offset: 5 }, { hasMore: false, nextOffset: 5 }],
    ['of an upstream that allows 20', page(20), { limit: 40, offset: 0 }, { hasMore: true }],
    ['of an upstream that allows 40', page(40), { limit: 100, offset: 0 }, { hasMore: true }],
    [
      'with has_more true',
      page(7, { has_more: true, next_offset: 9 }),
      { limit: 20, offset: 0 },
      { hasMore: true, nextOffset: 9 },
    ],
    [
      'with has_more false',
      page(20, { has_more: 0 }),
      { limit: 20, offset: 0 },
      { hasMore: false, mayHaveMore: false },
    ],
    [
      'whose next_offset does not advance',
      page(20, { next_offset: 5 }),
      { limit: 20, offset: 5 },
      { nextOffset: 25 },
    ],
    [
      'empty, with has_more true',
      page(0, { has_more: true }),
      { limit: 20, offset: 0 },
      { hasMore: false },
    ],
    ['null', { data: null }, { limit: 20, offset: 0 }, { rawCount: 0, hasMore: false }],
    ['that is a bare list', page(2).data, { limit: 2, offset: 0 }, { rawCount: 2, hasMore: true }],
  ] as const)('%s', async (...row) => {
    const [, body, query, expected] = row;
    const served = await serveAnswer(200, body);
    expect(await listVideos(connect(served.baseUrl).upstream, query)).toMatchObject(expected);
  });

  test('of an upstream that ignores the offset is not followed by another', async () => {
    const served = await serveAnswer(200, page(20));
    const { upstream } = connect(served.baseUrl);
    const query = { email: 'a+b@c.d', limit: 40 };
    expect(await listVideos(upstream, { ...query, offset: 0 })).toMatchObject({ hasMore: true });
    // Videos that were added since the first page can have the same effect once.
    expect(await listVideos(upstream, { ...query, offset: 15 })).toMatchObject({ hasMore: true });
    for (const offset of [30, 35]) {
      const repeated = await listVideos(upstream, { ...query, offset });
      expect(repeated).toMatchObject({ hasMore: false, mayHaveMore: false });
    }
    // Later reads of the list take two calls.
    expect(await listVideos(upstream, { ...query, offset: 0 })).toMatchObject({ hasMore: true });
    expect(await listVideos(upstream, { ...query, offset: 15 })).toMatchObject({ hasMore: false });
  });

  // An upstream that leaves out items after it has cut the page.
  test('is followed by the next one if it is empty and says that there is more', async () => {
    const served = await serveHttp(({ path }, response) => {
      const offset = Number(new URLSearchParams(path.split('?')[1]).get('offset'));
      response.end(
        JSON.stringify(
          offset < 80 ? page(0, { next_offset: offset + 40, has_more: true }) : page(3),
        ),
      );
    });
    const { upstream } = connect(served.baseUrl);
    expect(await listVideos(upstream, { limit: 40, offset: 0 })).toMatchObject({
      rawCount: 3,
      nextOffset: 83,
      hasMore: false,
    });
    expect(served.requests).toHaveLength(3);
  });

  test('that is empty is followed by ten more at most', async () => {
    const served = await serveHttp(({ path }, response) => {
      const offset = Number(new URLSearchParams(path.split('?')[1]).get('offset'));
      response.end(JSON.stringify(page(0, { next_offset: offset + 1, has_more: true })));
    });
    const empty = await listVideos(connect(served.baseUrl).upstream, { limit: 40, offset: 0 });
    expect(empty).toMatchObject({ rawCount: 0, hasMore: false });
    expect(served.requests).toHaveLength(11);
  });

  test('is requested by account, limit and offset', async () => {
    const served = await serveAnswer(200, page(0));
    const query = { email: 'a+b@c.d', limit: 100, offset: 0 };
    await listVideos(connect(served.baseUrl).upstream, query);
    expect(served.requests[0]?.path).toBe(
      '/v2/pixverse/videos/?email=a%2Bb%40c.d&limit=100&offset=0',
    );
  });

  test.each([[{}], [{ error: 'x' }], [{ error: 'x', data: null }], ['text'], [{ data: 'x' }]])(
    'that is %j is INVALID_ANSWER',
    async (body) => {
      const served = await serveAnswer(200, body === 'text' ? '"text"' : body);
      const read = listVideos(connect(served.baseUrl).upstream, { limit: 1, offset: 0 });
      expect(await thrownBy(read)).toMatchObject({ reason: 'INVALID_ANSWER' });
    },
  );
});

describe('one video', () => {
  test('is requested by its unencoded id', async () => {
    const served = await serveAnswer(200, documented);
    expect(await getVideo(connect(served.baseUrl).upstream, id)).toMatchObject({ id });
    expect(served.requests[0]?.path).toBe(`/v2/pixverse/videos/${id}`);
  });

  test.each([
    [{ video_id: 370538497751884 }],
    [{ video_id: undefined }],
    [{ video_id: 'user:7-pixverse:ann-b+c@d.example-video:1' }],
  ])('has the requested id, also if the response has %j', async (ids) => {
    const served = await serveAnswer(200, { ...documented, ...ids });
    const video = await getVideo(connect(served.baseUrl).upstream, id);
    expect(video).toMatchObject({ id, accountEmail: 'ann-b+c@d.example' });
  });

  test('is null on 404 and for an invalid id', async () => {
    const served = await serveAnswer(404, { error: 'x', code: 404 });
    const { upstream } = connect(served.baseUrl);
    expect(await getVideo(upstream, id)).toBeNull();
    expect(await getVideo(upstream, '../accounts')).toBeNull();
    expect(await getVideo(upstream, 'voices')).toBeNull();
    expect(served.requests).toHaveLength(1);
  });

  test.each([[{ error: 'x' }], [{}], [[]]])('that is %j is INVALID_ANSWER', async (body) => {
    const served = await serveAnswer(200, body);
    const read = getVideo(connect(served.baseUrl).upstream, id);
    expect(await thrownBy(read)).toMatchObject({ reason: 'INVALID_ANSWER' });
  });

  test.each([204, 200])('is deleted with %i', async (status) => {
    const served = await serveAnswer(status);
    await deleteVideo(connect(served.baseUrl).upstream, id);
    expect(served.requests).toMatchObject([
      { method: 'DELETE', path: `/v2/pixverse/videos/${id}` },
    ]);
  });

  test('cannot be deleted if it is missing', async () => {
    const served = await serveAnswer(404);
    const { upstream } = connect(served.baseUrl);
    expect(await thrownBy(deleteVideo(upstream, id))).toMatchObject({ code: 'NOT_FOUND' });
    expect(await thrownBy(deleteVideo(upstream, 'a/b1'))).toMatchObject({ code: 'NOT_FOUND' });
    expect(served.requests).toHaveLength(1);
  });
});
