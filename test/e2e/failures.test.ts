import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { fakeToken } from '../support/fake-upstream/behaviour.ts';
import type { Reply } from '../support/fake-upstream/routes.ts';
import { type FakeUpstream, startFakeUpstream } from '../support/fake-upstream/server.ts';
import {
  askForData,
  type Client,
  type CreateLipsyncResult,
  readVideoIds,
  requestLipsync,
} from '../support/lipsyncs.ts';

const token = fakeToken;
const filePath = '/srv/useapi/src/pixverse/lipsync.js';
const stack = `TypeError: Cannot read properties of undefined (reading 'jwt')\n    at submit (${filePath}:214:31)`;
const host = 'api.useapi.net';

/** Must never reach a caller, like the account's e-mail. */
const secrets = [token, filePath, 'TypeError', host, 'qz7Hk3wTn9Rd5xLm', 'useapi'];

type Row = {
  status: number;
  /** The documented text. */
  text: (email: string) => string;
  type: string;
  /** The error type of the POST, where it differs. */
  posted?: string;
  /** The error type of a list, where it differs: for a status that means nothing for a list. */
  listed?: string;
  fields?: object;
};

const unavailable = 'UpstreamUnavailableError';
const unknown = 'OutcomeUnknownError';
const plain = (text: string) => () => text;
const busy = (limit: string) => ({ limit, retryable: true });

const rows: Row[] = [
  { status: 400, text: plain('speaker_id is not valid'), type: 'InvalidInputError' },
  { status: 401, text: plain('Unauthorized'), type: 'UpstreamUnauthorizedError' },
  {
    status: 402,
    text: plain('Account has no subscription or subscription expired'),
    type: 'SubscriptionExpiredError',
  },
  {
    status: 403,
    text: plain('Unauthorized access to user:1207 detected'),
    type: unavailable,
    posted: unknown,
  },
  { status: 404, text: plain('Not found'), type: 'NotFoundError', listed: unavailable },
  {
    status: 412,
    text: plain(
      'All Credits have been used up. Please upgrade your membership or purchase credits.',
    ),
    type: 'InsufficientCreditsError',
    listed: unavailable,
  },
  { status: 418, text: plain('I am a teapot'), type: unavailable, posted: unknown },
  {
    status: 422,
    text: plain('Your prompt has triggered our AI moderator, please re-enter your prompt'),
    type: 'ContentModeratedError',
    listed: unavailable,
  },
  {
    status: 429,
    text: (email) => `Account ${email} is busy executing 3 tasks.`,
    type: 'RateLimitedError',
    fields: busy('ACCOUNT_BUSY'),
  },
  {
    status: 429,
    text: plain('All configured accounts are running at maximum capacity.'),
    type: 'RateLimitedError',
    fields: busy('ALL_ACCOUNTS_BUSY'),
  },
  {
    status: 429,
    text: plain('Reached the limit for concurrent generations.'),
    type: 'RateLimitedError',
    fields: busy('PROVIDER_LIMIT'),
  },
  { status: 500, text: plain('Internal Server Error'), type: unavailable, posted: unknown },
  { status: 502, text: plain('Bad Gateway'), type: unavailable, posted: unknown },
  { status: 503, text: plain('Service Unavailable'), type: unavailable, posted: unknown },
  {
    status: 596,
    text: plain(
      'Your PixVerse account has pending error. Please address this issue at https://useapi.net/docs/api-pixverse-v2/post-pixverse-accounts-email before making any new API calls.',
    ),
    type: 'AccountPendingError',
  },
];

const shapes = [
  'JSON with an error',
  'JSON with an error and a code',
  'text',
  'HTML',
  'nothing',
  'half of a JSON',
] as const;
type Shape = (typeof shapes)[number];

/** Each body contains its documented text and every secret. */
function replyOf(row: Row, shape: Shape, email: string): Reply {
  const error = row.text(email);
  const leak = `token ${token} of ${email} at https://${host}/v2/pixverse, ${encodeURIComponent(email)}, ${stack}`;
  const json = JSON.stringify({ error, errorDetails: leak });
  const bodies: Record<Shape, [type: string, body: string]> = {
    'JSON with an error': ['application/json', json],
    'JSON with an error and a code': [
      'application/json',
      JSON.stringify({ error, code: row.status, errorDetails: leak, stack }),
    ],
    text: ['text/plain', `${error} ${leak}`],
    HTML: [
      'text/html',
      `<html><title>${row.status}</title><body><pre>${leak}</pre><a href="mailto:${email}">${email}</a></body></html>`,
    ],
    nothing: ['text/plain', ''],
    'half of a JSON': ['application/json', json.slice(0, -9)],
  };
  const [type, body] = bodies[shape];
  return { status: row.status, body, headers: { 'content-type': type } };
}

/** Only the text of a 429 distinguishes its reasons; without a readable text, the type alone is known. */
function fieldsOf(row: Row, shape: Shape): object {
  return shape.startsWith('JSON') ? (row.fields ?? {}) : {};
}

const table = rows.flatMap((row, at) => shapes.map((shape) => ({ row, shape, at })));

/** Upstream error texts that themselves contain a secret. */
const leakyTexts = [
  `Account broken+box@leaky.example is not allowed`,
  `Invalid token ${token}`,
  `ENOENT: no such file ${filePath}`,
  `fetch failed: https://${host}/v2/pixverse/videos`,
  stack,
  `video user:88041-pixverse:broken+box@leaky.example-video:12 is gone`,
  `broken%2Bbox%40leaky.example`,
];

const errorFields = `... on LipsyncError { code message retryable retryAfterSeconds }
  ... on RateLimitedError { limit } ... on InvalidInputError { issues { path message } }`;

type Answered = {
  __typename: string;
  code: string;
  message: string;
  retryable: boolean;
  retryAfterSeconds: number | null;
  lipsync?: { id: string; status: string };
};

/** One app for a group of rows, with all its answers. */
class TestBench {
  readonly upstream: FakeUpstream;
  readonly app: TestApp;
  readonly answers: string[] = [];

  constructor(upstream: FakeUpstream, app: TestApp) {
    this.upstream = upstream;
    this.app = app;
  }

  static async start(emails: string[], more: Record<string, string> = {}): Promise<TestBench> {
    const upstream = await startFakeUpstream({
      accounts: emails.map((email) => ({ email, maxJobs: 3 })),
      callbacks: 'none',
    });
    const env = {
      USEAPI_TOKEN: token,
      ALLOW_ANONYMOUS: 'true',
      POLL_INTERVAL_MS: '600000',
      // Each row needs the upstream's answer, not a list of the row before.
      READ_FRESH_MS: '0',
      LOG_LEVEL: 'trace',
      ...more,
    };
    return new TestBench(upstream, await startTestApp({ upstream, env }));
  }

  /** Keeps every answer, so that all of them are searched for secrets. */
  readonly client: Client = {
    ask: async (query, variables) => {
      const answer = await this.app.ask(query, variables);
      const { headers: _, status, ...result } = answer;
      this.answers.push(JSON.stringify(result));
      expect(status).toBe(200);
      return answer as never;
    },
  };

  async ask<Data>(query: string, variables = {}): Promise<Data> {
    return askForData<Data>(this.client, query, variables);
  }

  async stop(): Promise<void> {
    await this.app?.stop();
    await this.upstream?.close();
  }
}

function expectFailure(
  answer: Answered | CreateLipsyncResult,
  row: Row,
  { type, shape }: { type: string; shape: Shape },
) {
  expect(answer).toMatchObject({ __typename: type, ...fieldsOf(row, shape) });
  expect(answer.code).toBe(
    type
      .replace(/Error$/, '')
      .replace(/(?<!^)[A-Z]/g, (letter) => `_${letter}`)
      .toUpperCase(),
  );
  if (type === 'RateLimitedError') {
    expect(answer.retryAfterSeconds).toBeGreaterThanOrEqual(10);
    expect(answer.retryAfterSeconds).toBeLessThanOrEqual(30);
  }
}

function expectNoSecret(bench: TestBench, emails: string[]): void {
  const answers = bench.answers.join('\n');
  const log = JSON.stringify(bench.app.logs);
  for (const secret of secrets) expect(answers).not.toContain(secret);
  expect(log).not.toContain(token);
  for (const email of [...emails, 'broken+box@leaky.example']) {
    for (const spelling of [email, encodeURIComponent(email)]) {
      expect(answers).not.toContain(spelling);
      expect(log).not.toContain(spelling);
    }
  }
}

describe('createLipsync', () => {
  const emails = table.map((_, at) => `row-${at}+sync@accounts.example`);
  let bench: TestBench;
  /** One finished video of each account, by the account's index. */
  const videoIds = new Map<number, string>();
  const create = (id: string | undefined, whenBusy = 'FAIL') =>
    requestLipsync(bench.client, { video: { videoId: id }, whenBusy });

  beforeAll(async () => {
    bench = await TestBench.start(emails);
    emails.forEach((email, at) => {
      bench.upstream.addVideo(email, `video ${at}`);
    });
    const { videos } = await bench.ask<{ videos: { nodes: { id: string; prompt: string }[] } }>(
      '{ videos(first: 100) { ... on VideoConnection { nodes { id prompt } } } }',
    );
    for (const { id, prompt } of videos.nodes) videoIds.set(Number(prompt.slice(6)), id);
  });
  afterAll(() => bench?.stop());

  describe.each(rows.map((row, at) => ({ ...row, name: row.text('…').slice(0, 40), at })))(
    '$status $name',
    ({ at: rowAt, ...row }) => {
      test.each(shapes)('with %s is answered with its own type, in data', async (shape) => {
        const at = table.findIndex((each) => each.at === rowAt && each.shape === shape);
        const reply = replyOf(row, shape, emails[at] ?? '');
        const before = bench.upstream.countOf('POST /videos/lipsync');
        bench.upstream.reply('POST /videos/lipsync', reply);
        const result = await create(videoIds.get(at));
        const type = row.posted ?? row.type;
        expectFailure(result, row, { type, shape });
        expect(result.retryable).toBe(type === 'RateLimitedError');
        expect(bench.upstream.countOf('POST /videos/lipsync') - before).toBe(1);
        if (type === unknown) expect(result.lipsync?.status).toBe('SUBMITTING');
      });
    },
  );

  test('a success without a video_id is an unknown outcome, and no second POST follows', async () => {
    const bodies: Reply[] = [
      { status: 200, body: '' },
      { status: 200, body: '{"video_id":' },
      { status: 200, body: '{}' },
      { status: 200, body: JSON.stringify({ error: `${token} ${stack}` }) },
      { status: 200, body: `<html>${token}</html>`, headers: { 'content-type': 'text/html' } },
      { status: 202, body: '[]' },
      { status: 204 },
      { status: 302, headers: { location: `https://${host}/login` } },
    ];
    const email = 'unclear+answers@accounts.example';
    const own = await TestBench.start([email]);
    try {
      own.upstream.addVideo(email, 'one');
      const [id] = await readVideoIds(own.client);
      for (const body of bodies) {
        own.upstream.reply('POST /videos/lipsync', body);
        const result = await requestLipsync(own.client, {
          video: { videoId: id },
          offPeak: true,
          whenBusy: 'FAIL',
        });
        expect(result, JSON.stringify(body)).toMatchObject({
          __typename: unknown,
          lipsync: { status: 'SUBMITTING' },
        });
      }
      expect(own.upstream.countOf('POST /videos/lipsync')).toBe(bodies.length);
      expectNoSecret(own, [email]);
    } finally {
      await own.stop();
    }
  });

  test('a rejected POST leaves no lip-sync, an unknown outcome leaves one in SUBMITTING', async () => {
    const { lipsyncs } = await bench.ask<{ lipsyncs: { nodes: { status: string }[] } }>(
      '{ lipsyncs(first: 100) { nodes { status } } }',
    );
    const unclear = table.filter(({ row }) => row.posted === unknown);
    expect(lipsyncs.nodes.map(({ status }) => status)).toEqual(unclear.map(() => 'SUBMITTING'));
  });

  test.each([401, 402, 412, 596])(
    'an account that answered %i gets no further POST until a read succeeds',
    async (status) => {
      const at = table.findIndex(({ row }) => row.status === status);
      const videoId = videoIds.get(at);
      bench.upstream.reply('GET /accounts/{email}', { status: 596, body: '{}' });
      bench.upstream.reply('GET /features', { status, body: '{}' });
      bench.upstream.reply('POST /videos/lipsync', { status, body: '{}' });
      // A read may have ended the pause since its own rows: then this pauses it again.
      await create(videoId);
      const before = bench.upstream.countOf('POST /videos/lipsync');
      expect(await create(videoId)).toMatchObject({
        __typename: 'RateLimitedError',
        retryable: true,
      });
      const result = await create(videoId, 'QUEUE');
      expect(result.lipsync?.status).toBe('QUEUED');
      expect(bench.upstream.countOf('POST /videos/lipsync')).toBe(before);
    },
  );

  test.each(leakyTexts)('a 400 with the text "%s" is answered without that text', async (error) => {
    // Answered 400 before, so this account is neither paused nor busy.
    const at = table.findIndex(({ row }) => row.status === 400);
    bench.upstream.reply('POST /videos/lipsync', { status: 400, body: JSON.stringify({ error }) });
    const result = await create(videoIds.get(at));
    expect(result.__typename).toBe('InvalidInputError');
    expect(JSON.stringify(result)).not.toMatch(/leaky|qz7Hk|useapi|lipsync\.js|TypeError/);
  });

  test('no answer contains a secret, and the log contains neither token nor e-mail', () => {
    expect(bench.answers.length).toBeGreaterThan(table.length);
    expect(JSON.stringify(bench.app.logs)).toContain('upstream responded with a failure');
    expectNoSecret(bench, emails);
  });
});

describe.each([
  {
    field: 'voices',
    route: 'GET /videos/voices' as const,
    query: `{ voices { __typename ${errorFields} ... on VoiceList { nodes { id name } } } }`,
    success: 'VoiceList',
    broken: [{ tts_list: 'none' }, { data: { tts_list: [] } }, 'soon', 7],
  },
  {
    field: 'videos',
    route: 'GET /videos' as const,
    query: `{ videos { __typename ${errorFields} ... on VideoConnection { nodes { id } } } }`,
    success: 'VideoConnection',
    broken: [{ data: 'none' }, { data: 3 }, { list: [] }, 'soon', 7],
  },
])('$field', ({ field, route, query, success, broken }) => {
  const email = 'reads+only@accounts.example';
  let bench: TestBench;
  const read = async () => {
    const answer = await bench.ask<Record<string, Answered>>(query);
    return (
      answer[field] ?? {
        __typename: '',
        code: '',
        message: '',
        retryable: false,
        retryAfterSeconds: null,
      }
    );
  };

  beforeAll(async () => {
    bench = await TestBench.start([email]);
  });
  afterAll(() => bench?.stop());

  describe.each(rows.map((row) => ({ ...row, name: row.text('…').slice(0, 40) })))(
    '$status $name',
    (row) => {
      test.each(shapes)('with %s is answered with a type of the union, in data', async (shape) => {
        bench.upstream.reply(route, replyOf(row, shape, email));
        const answer = await read();
        const type = row.listed ?? row.type;
        expectFailure(answer, row, { type, shape });
        expect(answer.retryable).toBe([unavailable, 'RateLimitedError'].includes(type));
      });
    },
  );

  test('a 200 that is not a list is UpstreamUnavailableError', async () => {
    const bodies = ['', '<html></html>', '{"data":', ...broken.map((body) => JSON.stringify(body))];
    for (const body of bodies) {
      bench.upstream.reply(route, { status: 200, body });
      expect(await read(), body).toMatchObject({ __typename: unavailable, retryable: true });
    }
  });

  test.each(leakyTexts)('a 400 with the text "%s" is answered without that text', async (error) => {
    bench.upstream.reply(route, { status: 400, body: JSON.stringify({ error, code: 400 }) });
    const answer = await read();
    expect(answer.__typename).toBe('InvalidInputError');
    expect(JSON.stringify(answer)).not.toMatch(/leaky|qz7Hk|useapi|lipsync\.js|TypeError/);
  });

  test('answers again as soon as the upstream does', async () => {
    bench.upstream.reply(route, null);
    expect((await read()).__typename).toBe(success);
  });

  test('no answer contains a secret, and the log contains neither token nor e-mail', () => {
    expect(bench.answers.length).toBeGreaterThan(table.length);
    expect(JSON.stringify(bench.app.logs)).toContain('upstream responded with a failure');
    expectNoSecret(bench, [email]);
  });
});

describe('without an answer of the upstream', () => {
  const email = 'silent+service@accounts.example';
  const causeOf = `... on LipsyncError { code retryable } ... on UpstreamUnavailableError { cause }`;
  let bench: TestBench;
  let videoId: string;
  const read = (field: 'voices' | 'videos') =>
    bench.ask<Record<string, Answered>>(`{ ${field} { __typename ${causeOf} } }`);
  const create = () => requestLipsync(bench.client, { video: { videoId } });

  beforeAll(async () => {
    bench = await TestBench.start([email], { UPSTREAM_TIMEOUT_MS: '1500' });
    bench.upstream.addVideo(email, 'one');
    [videoId = ''] = await readVideoIds(bench.client);
  });
  afterAll(() => bench?.stop());

  test.each(['voices', 'videos'] as const)(
    '%s answer TIMEOUT when the upstream is too slow',
    async (field) => {
      const release = bench.upstream.hold(
        field === 'voices' ? 'GET /videos/voices' : 'GET /videos',
      );
      const answer = await read(field);
      release();
      const expected = { __typename: unavailable, cause: 'TIMEOUT', retryable: true };
      expect(answer[field]).toMatchObject(expected);
    },
  );

  test('a creation is an unknown outcome when the upstream is too slow', async () => {
    const release = bench.upstream.hold('POST /videos/lipsync');
    const answer = await create();
    // No job that the search could find before the next test.
    bench.upstream.reply('POST /videos/lipsync', { status: 500, body: '{}' });
    release();
    const expected = { __typename: unknown, lipsync: { status: 'SUBMITTING' }, retryable: false };
    expect(answer).toMatchObject(expected);
    expect(bench.upstream.countOf('POST /videos/lipsync')).toBe(1);
  });

  // The last test: the upstream stays closed.
  test('reads and creations answer CONNECTION_FAILED without a connection, and an unsent creation leaves no row', async () => {
    await bench.upstream.close();
    const expected = { __typename: unavailable, cause: 'CONNECTION_FAILED', retryable: true };
    expect((await read('voices')).voices).toMatchObject(expected);
    expect((await read('videos')).videos).toMatchObject(expected);
    expect(await create()).toMatchObject(expected);
    const { lipsyncs } = await bench.ask<{ lipsyncs: { nodes: object[] } }>(
      '{ lipsyncs { nodes { status } } }',
    );
    expect(lipsyncs.nodes).toEqual([{ status: 'SUBMITTING' }]);
  });
});

describe('without a configured account', () => {
  test('reads answer NO_ACCOUNT, in data', async () => {
    const bench = await TestBench.start([]);
    try {
      const answer = await bench.ask<Record<string, Answered>>(
        `{ voices { __typename ${errorFields} ... on UpstreamUnavailableError { cause } }
           videos { __typename ${errorFields} ... on UpstreamUnavailableError { cause } } }`,
      );
      const noAccount = { __typename: unavailable, cause: 'NO_ACCOUNT' };
      expect(answer).toMatchObject({ voices: noAccount, videos: noAccount });
    } finally {
      await bench.stop();
    }
  });
});
