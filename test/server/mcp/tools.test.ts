import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { tools } from '../../../src/server/mcp/tools.ts';
import { type Agent, connectAgent, revisions } from '../../support/agent.ts';
import { createApiKeys } from '../../support/api-keys.ts';
import { type LipsyncApp, startLipsyncApp } from '../../support/lipsync-app.ts';

const keys = createApiKeys({
  maker: ['lipsync:read', 'lipsync:write', 'videos:read'],
  other: ['lipsync:read', 'lipsync:write', 'videos:read'],
  reader: ['lipsync:read'],
  writer: ['lipsync:write'],
});

let app: LipsyncApp;
let agent: Agent;
let videoId: string;
beforeAll(async () => {
  app = await startLipsyncApp({ env: keys.env });
  agent = await connectAgent({ url: app.url, headers: keys.headers.maker });
  [videoId = ''] = await app.listVideoIds(undefined, keys.headers.maker);
});
afterAll(async () => {
  await agent?.client.close();
  await app?.stop();
});

let keyCount = 0;
const newKey = () => {
  keyCount += 1;
  return `key-${keyCount}`;
};
const inputOf = (text: string) => ({ video: { videoId }, speech: { script: { text } } });

type Lipsync = { id: string; status: string; isFinal: boolean; charge: string };
const lipsyncOf = ({ content }: { content: Record<string, unknown> }) => content.lipsync as Lipsync;

async function create(by: Agent = agent): Promise<Lipsync> {
  const answer = await by.call('create_lipsync', {
    ...inputOf('Hello.'),
    idempotencyKey: newKey(),
  });
  expect(answer).toMatchObject({ isError: false });
  return lipsyncOf(answer);
}

describe('works', () => {
  test.each(Object.keys(revisions) as (keyof typeof revisions)[])(
    'with clients of the %s revision: from the voices to a finished video',
    async (revision) => {
      await using own = await connectAgent({ url: app.url, headers: keys.headers.maker, revision });
      const { content } = await own.call('list_voices');
      const voices = content.voices as { id: string; name: string }[];
      expect(voices.length).toBeGreaterThan(3);
      const input = {
        video: { videoId },
        speech: { script: { text: 'Good morning.', voiceId: voices[0]?.id } },
      };
      expect(await own.call('estimate_lipsync', input)).toMatchObject({
        isError: false,
        content: { basis: expect.any(String), creditsAvailable: expect.any(Number) },
      });
      const created = await own.call('create_lipsync', { ...input, idempotencyKey: newKey() });
      expect(created).toMatchObject({ isError: false, content: { replayed: false } });
      const { id } = lipsyncOf(created);
      const progress: number[] = [];
      const end = await own.call(
        'wait_for_lipsync',
        { id },
        { onprogress: (at) => void progress.push(at.progress) },
      );
      expect(end).toMatchObject({
        isError: false,
        content: {
          finished: true,
          lipsync: { id, status: 'COMPLETED', result: { url: expect.stringMatching(/^http/) } },
        },
      });
      expect(progress.at(-1)).toBe(100);
      expect(progress).toEqual([...new Set(progress)].toSorted((a, b) => a - b));
      const { content: now } = await own.call('get_lipsync', { id });
      expect(now).toEqual({ lipsync: end.content.lipsync });
    },
  );

  test('pages: each list continues from its cursor, and the last page has none', async () => {
    const made = [await create(), await create(), await create()].map(({ id }) => id).reverse();
    const seen: string[] = [];
    let after: unknown;
    for (let page = 0; page < 3; page += 1) {
      const { content } = await agent.call('list_lipsyncs', {
        first: 1,
        ...(after ? { after } : {}),
      });
      seen.push(...(content.lipsyncs as Lipsync[]).map(({ id }) => id));
      after = content.nextCursor;
    }
    expect(seen).toEqual(made);
    const videos = await agent.call('list_videos', {
      first: 100,
      filter: { statuses: ['COMPLETED'] },
    });
    expect(videos.content).toMatchObject({ nextCursor: null });
    expect(JSON.stringify(videos.content)).toContain(videoId);
    const none = await agent.call('list_lipsyncs', { filter: { reference: 'no such reference' } });
    expect(none.content).toEqual({ lipsyncs: [], nextCursor: null });
  });

  test('repetition: the same key and input return the same lip-sync, and one job is sent', async () => {
    const input = { ...inputOf('Once.'), idempotencyKey: newKey() };
    const first = await agent.call('create_lipsync', input);
    const second = await agent.call('create_lipsync', input);
    expect(second.content).toMatchObject({ replayed: true, lipsync: { id: lipsyncOf(first).id } });
    await app.waitForEnd(lipsyncOf(first).id, keys.headers.maker);
    expect(await app.postsOf(lipsyncOf(first).id)).toHaveLength(1);
    const changed = await agent.call('create_lipsync', { ...input, ...inputOf('Twice.') });
    expect(changed).toMatchObject({ isError: true, content: { code: 'IDEMPOTENCY_CONFLICT' } });
  });

  test('an import: the id of the upload can be used at once', async () => {
    const { content } = await agent.call('list_voices');
    const [voice] = content.voices as { previewUrl: string }[];
    const imported = await agent.call('import_upload', { kind: 'AUDIO', url: voice?.previewUrl });
    expect(imported).toMatchObject({
      isError: false,
      content: { upload: { id: expect.any(String), kind: 'AUDIO', status: 'RECEIVING' } },
    });
    const wrong = await agent.call('import_upload', { kind: 'AUDIO', url: 'ftp://example.com/a' });
    expect(wrong).toMatchObject({ isError: true, content: { retryable: false } });
  });

  test('cancellation: the answer says what happened and whether it is charged', async () => {
    await app.turn({ generatingMs: 60_000 });
    try {
      const { id } = await create();
      const cancelled = await agent.call('cancel_lipsync', { id });
      expect(cancelled).toMatchObject({
        isError: false,
        content: { outcome: expect.stringMatching(/^Lipsync(Cancelled|TrackingStopped)$/) },
      });
      expect(lipsyncOf(cancelled)).toMatchObject({ id, status: 'CANCELLED' });
    } finally {
      await app.clearSwitches();
    }
  });

  test('the list of tools says what each costs, and requires a key where money is spent', async () => {
    const { tools: listed } = await agent.client.listTools();
    expect(listed.map(({ name }) => name)).toEqual(tools.map(({ name }) => name));
    for (const { name, description = '', inputSchema, annotations } of listed) {
      const isPaid = name === 'create_lipsync';
      expect(description.includes('COSTS MONEY'), name).toBe(isPaid);
      expect(inputSchema.required?.includes('idempotencyKey') ?? false, name).toBe(isPaid);
      expect(annotations?.readOnlyHint, name).toBe(!/^(create|cancel|import)_/.test(name));
    }
  });
});

const speech = { script: { text: 'x' } };

/** An input of the right shape for each tool. */
const anyInput: Record<string, object> = {
  list_voices: {},
  list_videos: {},
  estimate_lipsync: { speech },
  create_lipsync: { video: { videoId: 'x' }, speech, idempotencyKey: 'x' },
  get_lipsync: { id: 'x' },
  wait_for_lipsync: { id: 'x' },
  list_lipsyncs: {},
  cancel_lipsync: { id: 'x' },
  import_upload: { kind: 'AUDIO', url: 'https://example.com/a.mp3' },
};

describe('refuses', () => {
  test.each(tools)('$name to a caller without a token', async ({ name }) => {
    await using anonymous = await connectAgent({ url: app.url });
    expect(await anonymous.call(name, anyInput[name])).toEqual({
      isError: true,
      content: {
        code: 'NOT_AUTHENTICATED',
        message: 'Sign in to do this.',
        retryable: false,
        retryAfterSeconds: null,
      },
    });
  });

  test('each tool to a caller without its scope, and to no other', async () => {
    await using reader = await connectAgent({ url: app.url, headers: keys.headers.reader });
    await using writer = await connectAgent({ url: app.url, headers: keys.headers.writer });
    const refused = async (by: Agent) => {
      const names: string[] = [];
      for (const { name } of tools) {
        const { content } = await by.call(name, anyInput[name]);
        if (content.code === 'NOT_AUTHORIZED') names.push(name);
      }
      return names;
    };
    const writing = ['create_lipsync', 'cancel_lipsync', 'import_upload'];
    expect(await refused(reader)).toEqual(writing);
    const reading = ['list_voices', 'estimate_lipsync', 'get_lipsync', 'wait_for_lipsync'];
    expect(await refused(writer)).toEqual([...reading, 'list_lipsyncs']);
    // Without `videos:read` a caller sees the videos of its own lip-syncs, and this one has none.
    const { content } = await reader.call('list_videos');
    expect(content).toEqual({ videos: [], nextCursor: null });
  });

  test.each([
    'http://169.254.169.254/latest/meta-data/',
    'http://10.0.0.1/a.mp3',
    'http://[fd00::1]/a.mp3',
  ])('to fetch %s, which is not on the public internet', async (url) => {
    const imported = { kind: 'AUDIO', url };
    const refusal = (path: string[]) => ({
      isError: true,
      content: { code: 'INVALID_INPUT', retryable: false, issues: [{ path, code: 'NOT_ALLOWED' }] },
    });
    expect(await agent.call('import_upload', imported)).toMatchObject(refusal(['input', 'url']));
    const created = { ...inputOf('x'), speech: { url }, idempotencyKey: newKey() };
    expect(await agent.call('create_lipsync', created)).toMatchObject(
      refusal(['input', 'speech', 'url']),
    );
  });

  test("another owner's lip-sync, as one that does not exist", async () => {
    await using other = await connectAgent({ url: app.url, headers: keys.headers.other });
    const { id } = await create();
    for (const name of ['get_lipsync', 'wait_for_lipsync', 'cancel_lipsync']) {
      const [foreign, absent] = [
        await other.call(name, { id }),
        await other.call(name, { id: 'x' }),
      ];
      expect(foreign, name).toEqual(absent);
      expect(foreign, name).toMatchObject({ isError: true, content: { code: 'NOT_FOUND' } });
    }
    const { content } = await other.call('list_lipsyncs');
    expect(content.lipsyncs).toEqual([]);
    await app.waitForEnd(id, keys.headers.maker);
  });

  test('an invalid value with its issues, and an input of another shape with the path', async () => {
    const long = { ...inputOf('x'.repeat(201)), idempotencyKey: newKey() };
    expect(await agent.call('create_lipsync', long)).toMatchObject({
      isError: true,
      content: {
        code: 'INVALID_INPUT',
        retryable: false,
        issues: [{ path: ['input', 'speech', 'script', 'text'], code: 'TOO_LONG' }],
      },
    });
    const shapes: [object, RegExp][] = [
      [inputOf('x'), /^`idempotencyKey`: /],
      [{ ...inputOf('x'), idempotencyKey: 1 }, /^`idempotencyKey`: /],
      [{ ...inputOf('x'), idempotencyKey: 'x', unknown: 1 }, /unknown/],
      [{ ...inputOf('x'), idempotencyKey: 'x', video: { videoId, uploadId: 'x' } }, /video/i],
      [{ ...inputOf('x'), idempotencyKey: 'x', speech: {} }, /speech/i],
    ];
    for (const [input, message] of shapes) {
      const { isError, content } = await agent.call('create_lipsync', input);
      expect({ isError, code: content.code }).toEqual({ isError: true, code: 'BAD_USER_INPUT' });
      expect(content.message).toMatch(message);
    }
  });

  test('operations beyond the limit of cost, with the time of the next', async () => {
    await using limited = await startLipsyncApp({ env: { COST_PER_MINUTE: '200' } });
    await using own = await connectAgent({ url: limited.url });
    const answers = [await own.call('list_videos', { first: 1 })];
    while (answers.at(-1)?.isError === false && answers.length < 201) {
      answers.push(await own.call('list_videos', { first: 1 }));
    }
    expect(answers.length).toBeGreaterThan(1);
    expect(answers.at(-1)).toMatchObject({
      isError: true,
      content: { code: 'QUOTA_EXCEEDED', retryable: true, retryAfterSeconds: expect.any(Number) },
    });
  });
});

describe('keeps out', () => {
  test('defects: the answer has the request id, and the log the reason', async () => {
    const failing = vi
      .spyOn(app.services.lipsyncs, 'cancel')
      .mockRejectedValue(new Error('defect'));
    const { isError, content } = await agent.call('cancel_lipsync', { id: (await create()).id });
    failing.mockRestore();
    expect({ isError, ...content }).toEqual({
      isError: true,
      code: 'INTERNAL_SERVER_ERROR',
      message: 'Something went wrong on our side.',
      retryable: false,
      retryAfterSeconds: null,
      requestId: expect.any(String),
    });
    expect(app.logs).toContainEqual(
      expect.objectContaining({ level: 'error', requestId: content.requestId }),
    );
  });

  test('what a caller wrote: the log contains neither texts nor keys', async () => {
    const secret = 'a-text-that-no-log-has';
    await agent.call('create_lipsync', { ...inputOf(secret), idempotencyKey: `${secret}-key` });
    await agent.call('get_lipsync', { id: secret });
    await expect(agent.client.callTool({ name: secret, arguments: {} })).rejects.toThrow();
    expect(JSON.stringify(app.logs)).not.toContain(secret);
  });
});
