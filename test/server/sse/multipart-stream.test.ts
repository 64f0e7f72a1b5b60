import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { idOf, type LipsyncApp, startLipsyncApp } from '../../support/lipsync-app.ts';
import { openStream } from '../../support/open-stream.ts';
import { type Part, readParts } from '../../support/transports.ts';

/** As Apollo Client's HttpLink sends it for a subscription. */
const apolloAccept = 'multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json';

const subscription = `subscription ($id: ID!, $after: String) { lipsyncProgress(id: $id, after: $after) {
  __typename ... on LipsyncProgress { sequence cursor status } ... on LipsyncError { code } } }`;

type Progress = { __typename: string; sequence: number; cursor: string; status: string };

let app: LipsyncApp;
let video: string;
beforeAll(async () => {
  app = await startLipsyncApp({ heartbeatMs: 20 });
  [video = ''] = await app.listVideoIds();
});
afterAll(() => app?.stop());

const create = async (text: string) =>
  idOf(await app.create({ video: { videoId: video }, speech: { script: { text } } }));

function subscribe(
  variables: object,
  { accept = apolloAccept, query = subscription }: { accept?: string; query?: string } = {},
): Promise<Response> {
  return fetch(`${app.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept },
    body: JSON.stringify({ query, variables }),
  });
}

async function* readPayloads(response: Response): AsyncGenerator<Progress, void> {
  if (response.body === null) throw new Error('There is no body.');
  for await (const { payload } of readParts(response.body)) {
    if (payload === undefined) continue;
    yield payload?.data?.lipsyncProgress as Progress;
  }
}

async function collect(response: Response): Promise<Progress[]> {
  const all: Progress[] = [];
  for await (const progress of readPayloads(response)) all.push(progress);
  return all;
}

/** Splits each chunk at the boundary, as Apollo iOS does, and not at delimiters over the whole body. */
async function readByChunks(response: Response): Promise<Part[]> {
  const parts: Part[] = [];
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    for (const piece of decoder.decode(chunk).split('--graphql')) {
      const json = piece.split('\r\n\r\n')[1]?.trim();
      if (json !== undefined && json !== '') parts.push(JSON.parse(json) as Part);
    }
  }
  return parts;
}

/**
 * Takes the boundary from the content type and reads the lines of each part's head, as Apollo Kotlin does. A part ends with the
 * next boundary, and the body with the one that two hyphens follow.
 */
async function readByLines(response: Response): Promise<Part[]> {
  const type = response.headers.get('content-type') ?? '';
  const parameters = type.split(';').map((each) => each.trim().split('='));
  const [, quoted = ''] = parameters.find(([name]) => name === 'boundary') ?? [];
  const boundary = `--${quoted.replace(/^["']|["']$/g, '')}`;
  const [preamble = '', ...pieces] = (await response.text()).split(boundary);
  expect(preamble.trim()).toBe('');
  expect(pieces.pop()).toMatch(/^--\r\n/);
  return pieces.map((piece) => {
    const lines = piece.split('\r\n');
    const headEnd = lines.indexOf('', 1);
    expect(lines.slice(1, headEnd)).toEqual([
      expect.stringMatching(/^content-type: application\/json/i),
    ]);
    return JSON.parse(lines.slice(headEnd + 1).join('\r\n')) as Part;
  });
}

describe('works', () => {
  test('sends the events of a lip-sync as parts and closes the body after the last', async () => {
    const response = await subscribe({ id: await create('Parts') });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe(
      'multipart/mixed;boundary="graphql";subscriptionSpec=1.0',
    );
    const events = await collect(response);
    expect(events.map(({ sequence }) => sequence)).toEqual(
      events.map((_, at) => (events[0]?.sequence ?? 0) + at),
    );
    expect(events.at(-1)?.status).toBe('COMPLETED');
  });

  test('each chunk has whole parts, for parsers that take chunks one by one', async () => {
    const id = await create('Chunks');
    const byDelimiter = await collect(await subscribe({ id, after: null }));
    const first = byDelimiter[0];
    const parts = await readByChunks(await subscribe({ id, after: first?.cursor }));
    const events = parts.flatMap(({ payload }) => payload?.data?.lipsyncProgress ?? []);
    expect(events).toEqual(byDelimiter.slice(1));
  });

  test('names its boundary, for parsers that read the lines of each part', async () => {
    const id = await create('Lines');
    const byDelimiter = await collect(await subscribe({ id, after: null }));
    const parts = await readByLines(await subscribe({ id, after: byDelimiter[0]?.cursor }));
    const events = parts.flatMap(({ payload }) => payload?.data?.lipsyncProgress ?? []);
    expect(events).toEqual(byDelimiter.slice(1));
  });

  test('continues after a cursor without a gap', async () => {
    const id = await create('Resumed');
    const response = await subscribe({ id });
    const seen: Progress[] = [];
    for await (const progress of readPayloads(response)) {
      seen.push(progress);
      break;
    }
    seen.push(...(await collect(await subscribe({ id, after: seen[0]?.cursor }))));
    const log = await app.readEvents(id);
    expect(seen.map(({ sequence }) => sequence)).toEqual(
      log.map(({ sequence }) => sequence).slice((seen[0]?.sequence ?? 0) - 1),
    );
  });

  test('sends empty parts as heartbeats while there are no events', async () => {
    const stream = await openStream('a multipart stream by POST', {
      url: app.url,
      id: await create('[[never]] Quiet'),
    });
    const heartbeat = '\r\ncontent-type: application/json; charset=utf-8\r\n\r\n{}\r\n--graphql';
    await stream.receives(heartbeat.repeat(2));
    stream.disconnect();
  });

  test('a failure of the subscription is a payload, and the body closes', async () => {
    const events = await collect(await subscribe({ id: 'none' }));
    expect(events).toEqual([{ __typename: 'NotFoundError', code: 'NOT_FOUND' }]);
  });

  test('a rejected subscription, a query and a mutation are answered in JSON if the client accepts it', async () => {
    const rejected = await subscribe({}, { query: 'subscription { nothing }' });
    expect(rejected.headers.get('content-type')).toMatch(/^application\/json/);
    expect(await rejected.json()).toMatchObject({
      errors: [{ extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }],
    });
    const query = await subscribe({}, { query: '{ __typename }' });
    expect(query.headers.get('content-type')).toMatch(/^application\/json/);
    expect(await query.json()).toMatchObject({ data: { __typename: 'Query' } });
  });

  test('a client that accepts nothing else gets a result as one part', async () => {
    const accept = 'multipart/mixed;subscriptionSpec="1.0"';
    const response = await subscribe({}, { accept, query: '{ __typename }' });
    const parts: Part[] = [];
    for await (const part of readParts(response.body as ReadableStream<Uint8Array>)) {
      parts.push(part);
    }
    expect(parts).toMatchObject([{ payload: { data: { __typename: 'Query' } } }]);
  });

  test('an error that is part of the protocol ends the stream when the server stops', async () => {
    const own = await startLipsyncApp();
    try {
      const [source = ''] = await own.listVideoIds();
      const speech = { script: { text: '[[never]] Until it stops' } };
      const id = idOf(await own.create({ video: { videoId: source }, speech }));
      const stream = await openStream('a multipart stream by POST', { url: own.url, id });
      await Promise.all([own.stop(), stream.ended]);
      expect(stream.isComplete()).toBe(false);
      const end =
        '{"payload":null,"errors":[{"message":"The server is stopping. Subscribe again.","extensions":{"code":"SERVER_STOPPING"}}]}\r\n--graphql--\r\n';
      expect(stream.text().endsWith(end)).toBe(true);
    } finally {
      await own.stop();
    }
  });
});

describe('refuses', () => {
  test.each([
    ['without the parameter', 'multipart/mixed'],
    ['of the protocol for deferred parts', 'multipart/mixed;deferSpec=20220824'],
    ['of another version', 'multipart/mixed;subscriptionSpec=2.0'],
  ])('a subscription to a client that accepts multipart %s', async (_, accept) => {
    const response = await subscribe({ id: 'any' }, { accept: `${accept},application/json` });
    expect(response.status).toBe(406);
    expect(await response.json()).toMatchObject({
      errors: [{ extensions: { code: 'NOT_ACCEPTABLE' } }],
    });
  });
});

describe('the hash of a document without the document', () => {
  const sha256Hash = 'ecf4edb46db40b5132295c0291d62fb65d6759a9eedfa4d5d612dd5ec54a6b38';
  const extensions = { persistedQuery: { version: 1, sha256Hash } };

  test('is answered with the error after which clients send the document', async () => {
    const post = await fetch(`${app.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ extensions }),
    });
    const search = new URLSearchParams({ extensions: JSON.stringify(extensions) });
    const get = await fetch(`${app.url}/graphql?${search}`);
    for (const response of [post, get]) {
      expect(response.status).toBe(200);
      expect(await response.json()).toEqual({
        errors: [
          {
            message: 'PersistedQueryNotSupported',
            extensions: { code: 'PERSISTED_QUERY_NOT_SUPPORTED' },
          },
        ],
      });
    }
  });

  test('beside the document is ignored', async () => {
    const response = await fetch(`${app.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: '{ __typename }', extensions }),
    });
    expect(await response.json()).toMatchObject({ data: { __typename: 'Query' } });
  });
});
