import { createHash } from 'node:crypto';
import { buildClientSchema, getIntrospectionQuery, type IntrospectionQuery } from 'graphql';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { findSecrets } from '../../e2e/secrets/scan.ts';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { askForData, createLipsyncMutation, withHeaders } from '../../support/lipsyncs.ts';
import { attempt, type Operation, type Transport, transports } from '../../support/transports.ts';
import { type Leaf, leavesOf, operationsAt, type Stage, stages } from './marked-operations.ts';

/** Every marker begins with this text, so one search finds all of them, in every encoding. */
const markerPrefix = 'zq9marker';
let markers = 0;
function newMarker(): string {
  markers += 1;
  return `${markerPrefix}-${markers}-end`;
}

const scopes = 'lipsync:read lipsync:write videos:read videos:write admin';
const keyOf = (name: string) =>
  `${name}:${createHash('sha256').update(name).digest('hex')}:${scopes}`;
const as = (token: string) => ({ authorization: `Bearer ${token}` });
const env = { API_KEYS: [keyOf('writer'), keyOf('reader')].join(','), CORS_ORIGINS: '' };

const printed: string[] = [];
beforeEach(() => {
  for (const stream of [process.stdout, process.stderr]) {
    vi.spyOn(stream, 'write').mockImplementation((text) => {
      printed.push(String(text));
      return true;
    });
  }
  for (const method of ['log', 'info', 'warn', 'error', 'debug', 'trace'] as const) {
    vi.spyOn(console, method).mockImplementation(
      (...args) => void printed.push(args.map(String).join(' ')),
    );
  }
});
afterEach(() => vi.restoreAllMocks());

function markersIn(text: string): string[] {
  const found = findSecrets(text, [{ name: 'a marker', value: markerPrefix }]);
  if (found.length === 0) return [];
  const at = text.indexOf(markerPrefix);
  return [...found, at < 0 ? '' : text.slice(Math.max(0, at - 300), at + 100)];
}

/** The transports that execute the operation: mutations are rejected over GET, files are sent in forms. */
async function sendEverywhere(
  app: TestApp,
  operation: Operation,
  over: readonly Transport[] = transports,
): Promise<void> {
  await Promise.all(
    over.map((transport) => attempt(transport, { url: app.url, token: 'writer', operation })),
  );
}

async function expectNoMarker(app: TestApp): Promise<void> {
  const metrics = await (await fetch(`${app.url}/metrics`)).text();
  expect(metrics).toContain('lipsync_http_request_duration_seconds');
  expect(markersIn(metrics)).toEqual([]);
  expect(markersIn(JSON.stringify(app.logs))).toEqual([]);
  expect(markersIn(printed.join('\n'))).toEqual([]);
}

const problems = ({ logs }: TestApp) =>
  logs.filter(({ level }) => level === 'warn' || level === 'error' || level === 'fatal');

let app: TestApp;
let leaves: Leaf[];
let knownId: string;

beforeAll(async () => {
  app = await startTestApp({ env, hasUnlimitedLog: true });
  const writer = withHeaders(app, as('writer'));
  const introspected = await askForData<IntrospectionQuery>(writer, getIntrospectionQuery());
  leaves = leavesOf(buildClientSchema(introspected));
  knownId = await createLipsync(app);
});
afterAll(() => app?.stop());

async function createLipsync(at: TestApp, reference = 'a reference'): Promise<string> {
  const writer = withHeaders(at, as('writer'));
  type Videos = { videos: { nodes: { id: string }[] } };
  const { videos } = await askForData<Videos>(
    writer,
    '{ videos { ... on VideoConnection { nodes { id } } } }',
  );
  type Created = { createLipsync: { lipsync?: { id: string } } };
  const input = {
    video: { videoId: videos.nodes[0]?.id },
    speech: { script: { text: reference } },
    reference,
  };
  const { createLipsync } = await askForData<Created>(writer, createLipsyncMutation, { input });
  if (createLipsync.lipsync === undefined) throw new Error(JSON.stringify(createLipsync));
  return createLipsync.lipsync.id;
}

describe('works', () => {
  test('the walk finds every argument and input field', () => {
    const names = leaves.map(({ name }) => name);
    expect(names).toContain('Mutation.reconnectAccount(input.password)');
    expect(names).toContain('Mutation.createLipsyncs(input.items.speech.script.text)');
    expect(names).toContain('Mutation.createUpload(input.filename)');
    expect(names).toContain('Subscription.lipsyncsProgress(ids)');
    expect(names).toContain('Lipsync.events(after)');
    expect(names.length).toBeGreaterThan(50);
  });

  test('the documents fail at their stages', async () => {
    const leaf = leaves.find(({ name }) => name === 'Mutation.reconnectAccount(input.password)');
    const messages: Partial<Record<Stage, string | undefined>> = {};
    for (const stage of stages) {
      const [operation] = leaf ? operationsAt(leaf, stage, { marker: newMarker(), knownId }) : [];
      if (operation === undefined) continue;
      const request = { url: app.url, token: 'writer', operation };
      messages[stage] = (await attempt('POST', request)).errors?.[0]?.message;
    }
    expect(messages).toEqual({
      parse: expect.stringContaining('Syntax Error'),
      validate: expect.stringContaining('Cannot query field'),
      'coerce a literal': expect.stringContaining('String cannot represent'),
      'coerce a variable': expect.stringContaining('got an invalid value'),
      'coerce an argument': 'Argument "input" has an invalid value.',
      'coerce a directive': expect.stringContaining('"if"'),
      'execute a literal': undefined,
      'execute a variable': undefined,
    });
  });
});

describe('keeps out', () => {
  test.each(stages)(
    'markers in every argument of documents that fail at the stage "%s", from the log, the metrics and the console',
    async (stage: Stage) => {
      const before = app.logs.length;
      for (const [at, leaf] of leaves.entries()) {
        // Half of the transports each time: every stage and every argument is sent over each of them.
        const turn = at + stages.indexOf(stage);
        const over = transports.filter((_, n) => (n + turn) % 2 === 0);
        for (const operation of operationsAt(leaf, stage, { marker: newMarker(), knownId })) {
          await sendEverywhere(app, operation, over);
        }
      }
      expect(app.logs.length - before).toBeGreaterThan(40);
      await expectNoMarker(app);
      // A mistake of a caller is not a problem of the server.
      expect(problems(app)).toEqual([]);
    },
    300_000,
  );

  test('markers from the answers to other callers', async () => {
    const reader = withHeaders(app, as('reader'));
    const { data, errors } = await reader.ask(`{
      lipsyncs(first: 100) { nodes { id reference text } }
      viewer { name }
      videos { ... on VideoConnection { nodes { id prompt: __typename } } }
      voices { __typename } accounts { __typename } }`);
    expect([errors, data?.lipsyncs]).toEqual([undefined, { nodes: [] }]);
    expect(markersIn(JSON.stringify(data))).toEqual([]);
  });

  test('markers in requests that are not operations', async () => {
    const marker = newMarker();
    const requests: [path: string, init: RequestInit][] = [
      [`/${marker}`, {}],
      [`/a/${marker}`, {}],
      [`/graphql/${marker}`, {}],
      [`/uploads/${marker}`, { method: 'PUT', body: marker }],
      [`/callbacks/${marker}`, { method: 'POST', body: marker }],
      [`/graphql?query=${marker}`, {}],
      [`/graphql?token=${marker}`, {}],
      [`/graphql?query={viewer{name}}&operationName=${marker}`, {}],
      [`/graphql?query={viewer{name}}&variables=${marker}`, {}],
      ['/graphql', { method: 'POST', body: `{${marker}` }],
      ['/graphql', { method: 'POST', body: JSON.stringify({ [marker]: marker }) }],
      ['/graphql', { method: 'POST', body: JSON.stringify([{ query: marker }]) }],
      [
        '/graphql',
        { method: 'POST', body: JSON.stringify({ query: `{ ${markerPrefix}: viewer { name } }` }) },
      ],
      ['/graphql', { method: 'POST', headers: { authorization: `Bearer ${marker}` }, body: '{}' }],
      ['/graphql', { method: 'POST', headers: { 'content-type': `text/${marker}` }, body: '{}' }],
      [
        '/livez',
        { headers: { 'user-agent': marker, referer: marker, origin: `http://${marker}` } },
      ],
    ];
    for (const [path, init] of requests) {
      const headers = { 'content-type': 'application/json', ...init.headers };
      await (await fetch(`${app.url}${path}`, { ...init, headers })).text();
    }
    await expectNoMarker(app);
    expect(problems(app)).toEqual([]);
  });

  test('markers in the values of failing statements', async () => {
    await using broken = await startTestApp({ env, hasUnlimitedLog: true });
    // PostgreSQL quotes the value that is not a number.
    await broken.app.db.query('alter table uploads alter column filename type int using null');
    for (const leaf of leaves) {
      for (const stage of ['execute a literal', 'execute a variable', 'execute an id'] as const) {
        for (const operation of operationsAt(leaf, stage, { marker: newMarker(), knownId })) {
          await sendEverywhere(broken, operation, ['POST', 'SSE by POST', 'WebSocket']);
        }
      }
    }
    expect(problems(broken)).toContainEqual(
      expect.objectContaining({
        msg: 'unexpected error',
        err: expect.objectContaining({ code: expect.stringMatching(/^22/) }),
      }),
    );
    await expectNoMarker(broken);
  }, 300_000);

  test('markers next to values that can not be serialised', async () => {
    await using broken = await startTestApp({ env, hasUnlimitedLog: true });
    await createLipsync(broken, newMarker());
    await broken.app.db.query("update lipsyncs set created_at = 'infinity'");
    const alias = newMarker().replaceAll('-', '_');
    const operation = {
      query: `{ ${alias}: lipsyncs { nodes { reference text ${alias}: createdAt } } }`,
    };
    await sendEverywhere(broken, operation);
    await expectNoMarker(broken);
  });

  test('lines of one caller above the limit of a minute', async () => {
    await using limited = await startTestApp({ env });
    const requests = Array.from({ length: 1_300 }, () => fetch(`${limited.url}/livez`));
    for (const response of await Promise.all(requests)) await response.text();
    const lines = () => limited.logs.filter(({ msg }) => msg === 'request').length;
    await vi.waitFor(() => expect(lines()).toBe(1_200), { timeout: 60_000 });
  });
});
