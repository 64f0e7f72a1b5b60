import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { sendRequest } from '../../support/http.ts';
import { longWait } from '../../support/lipsyncs.ts';
import { wavHeader } from '../../support/wav.ts';

const key = 'the-key-of-a-studio';
const owners = [...Array(6).keys()].map((n) => `owner-${n}`);
const entryOf = (name: string, scopes: string, secret = name) =>
  `${name}:${createHash('sha256').update(secret).digest('hex')}:${scopes}`;
const apiKeys = [
  entryOf('studio', 'lipsync:read lipsync:write', key),
  entryOf('reader', 'lipsync:read'),
  entryOf('stranger', 'videos:read'),
  ...owners.map((name) => entryOf(name, 'lipsync:write')),
];
const megabyte = 1_000_000;

let it: TestApp;
beforeAll(async () => {
  it = await startTestApp({
    env: { API_KEYS: apiKeys.join(), ALLOW_ANONYMOUS: 'false' },
    clientTimeouts: { headersMs: 60_000, bodyMs: 60_000, filesMs: 60_000, idleMs: 20_000 },
  });
});
afterAll(() => it?.stop());

const query =
  'mutation ($file: File!) { uploadAudio(file: $file) { __typename ... on LipsyncError { code } } }';
const operations = JSON.stringify({ query, variables: { file: null } });
const map = JSON.stringify({ 0: ['variables.file'] });

type Part = [name: string, value: string | Buffer];

function formOf(parts: Part[], end = '--x--\r\n'): Buffer {
  const written = parts.flatMap(([name, value]) => [
    Buffer.from(
      `--x\r\ncontent-disposition: form-data; name="${name}"${typeof value === 'string' ? '' : '; filename="a.wav"\r\ncontent-type: audio/wav'}\r\n\r\n`,
    ),
    Buffer.from(value),
    Buffer.from('\r\n'),
  ]);
  return Buffer.concat([...written, Buffer.from(end)]);
}

async function post(body: Buffer, more: Record<string, string> = {}) {
  const { status, text } = await sendRequest(it.url, {
    method: 'POST',
    path: '/graphql',
    headers: {
      'content-type': 'multipart/form-data; boundary=x',
      'x-csrf': '1',
      authorization: `Bearer ${key}`,
      ...more,
    },
    body,
  });
  const { data, errors } = JSON.parse(text);
  return { status, data, code: errors?.[0]?.extensions?.code, text };
}

/** 768 kB a second, so that 25 MB have less than 60 seconds. */
const wavFile = (bytes: number) =>
  Buffer.concat([wavHeader(bytes, { sampleRate: 384_000 }), Buffer.alloc(bytes)]);
const as = (name: string) => ({ authorization: `Bearer ${name}` });
const invalidToken = { authorization: 'Bearer invalid' };
const partsWith = (file: Buffer): Part[] => [
  ['operations', operations],
  ['map', map],
  ['0', file],
];
const tooLarge = [413, 'REQUEST_TOO_LARGE'];

const form = formOf(partsWith(wavFile(megabyte)));
const small = formOf(partsWith(wavFile(10)));

/** Sends the head of a multipart request, and half of its body unless `bytes` says how much. */
function startForm(
  authorization: string,
  { url = it.url, bytes = megabyte / 2, type = 'multipart/form-data; boundary=x' } = {},
) {
  const request = http.request(`${url}/graphql`, {
    agent: false,
    method: 'POST',
    headers: {
      'content-type': type,
      'content-length': form.length,
      'x-csrf': '1',
      authorization,
    },
  });
  const answered = once(request, 'response').then(
    ([response]) => (response as http.IncomingMessage).resume(),
    () => null,
  );
  request.on('error', () => undefined);
  request.flushHeaders();
  if (bytes > 0) request.write(form.subarray(0, bytes));
  return { request, answered, finish: () => request.end(form.subarray(bytes)) };
}

describe('works', () => {
  test('accepts a file of 25 MB', async () => {
    const bytes = 25 * 1024 ** 2 - 44;
    const { data } = await post(formOf(partsWith(wavFile(bytes))));
    expect(data.uploadAudio).toEqual({ __typename: 'UploadAudioSuccess' });
  });

  test('answers NOT_AUTHENTICATED to an unauthenticated caller with a small file', async () => {
    const { data } = await post(formOf(partsWith(wavFile(megabyte / 2))), invalidToken);
    expect(data.uploadAudio).toMatchObject({ code: 'NOT_AUTHENTICATED' });
  });

  test('a map can name a list item that is null and a field that is missing', async () => {
    const query = 'query ($ids: [ID!]!, $id: ID!) { nodes(ids: $ids) { id } node(id: $id) { id } }';
    const { data, text } = await post(
      formOf([
        ['operations', JSON.stringify({ query, variables: { ids: [null] } })],
        ['map', JSON.stringify({ 0: ['variables.ids.0', 'variables.id'] })],
        ['0', 'no id'],
      ]),
    );
    expect(data, text).toEqual({ nodes: [null], node: null });
  });
});

describe('refuses', () => {
  test('more than four requests of an owner at once with 503, until one of them ends', async () => {
    const slow = Array.from({ length: 4 }, () => startForm(`Bearer ${key}`));
    await vi.waitFor(async () => {
      const { status, code } = await post(small);
      expect([status, code]).toEqual([503, 'TOO_MANY_FILES']);
    }, longWait);
    expect((await post(small, invalidToken)).code ?? 'executed').toBe('executed');
    const [disconnecting, ...others] = slow;
    disconnecting?.request.destroy();
    await vi.waitFor(async () => expect((await post(small)).status).toBe(200), longWait);
    for (const { finish, answered } of others) {
      finish();
      expect((await answered)?.statusCode).toBe(200);
    }
  });

  test.each<[string, () => Part[]]>([
    [
      'an operation of more than a megabyte',
      () => [
        ['operations', `${operations}${' '.repeat(megabyte)}`],
        ['map', '{}'],
      ],
    ],
    [
      'a map of more than a megabyte',
      () => [
        ['operations', operations],
        ['map', `${map}${' '.repeat(megabyte)}`],
      ],
    ],
    [
      'unused fields of more than a megabyte',
      () => [
        ...partsWith(wavFile(100)),
        ['y', 'y'.repeat(megabyte / 2)],
        ['z', 'z'.repeat(megabyte / 2)],
      ],
    ],
    ['files of more than 25 MB', () => partsWith(Buffer.alloc(27 * 1024 ** 2))],
  ])('%s with REQUEST_TOO_LARGE', async (_, parts) => {
    const { status, code } = await post(formOf(parts()));
    expect([status, code]).toEqual(tooLarge);
  });

  test('files of more than 25 MB without a content-length', async () => {
    const form = formOf(partsWith(Buffer.alloc(27 * 1024 ** 2)));
    const { status, code } = await post(form, { 'transfer-encoding': 'chunked' });
    expect([status, code]).toEqual(tooLarge);
  });

  test.each<[string, () => Buffer]>([
    [
      'without operations',
      () =>
        formOf([
          ['map', map],
          ['0', wavFile(10)],
        ]),
    ],
    [
      'with a file for operations',
      () =>
        formOf([
          ['operations', Buffer.from(operations)],
          ['map', map],
        ]),
    ],
    [
      'with operations that are not JSON',
      () =>
        formOf([
          ['operations', '{"password":"hunter2"'],
          ['map', map],
        ]),
    ],
    [
      'with null as operations',
      () =>
        formOf([
          ['operations', 'null'],
          ['map', map],
          ['0', wavFile(10)],
        ]),
    ],
    [
      'with a map that is not JSON',
      () =>
        formOf([
          ['operations', operations],
          ['map', '{"hunter2"'],
        ]),
    ],
    [
      'with a map of values that are not lists',
      () =>
        formOf([
          ['operations', operations],
          ['map', '{"0":7}'],
        ]),
    ],
    [
      'with a map of paths that are not texts',
      () =>
        formOf([
          ['operations', operations],
          ['map', '{"0":[{}]}'],
          ['0', wavFile(10)],
        ]),
    ],
    [
      'that is cut off',
      () =>
        formOf(
          [
            ['operations', operations],
            ['map', map],
          ],
          '--x\r\ncontent-disp',
        ),
    ],
    ['without parts', () => Buffer.from('hunter2')],
  ])('a form %s, with a message that does not quote it', async (_, form) => {
    const { status, code, text } = await post(form());
    expect([status, code]).toEqual([400, 'BAD_REQUEST']);
    expect(text).not.toContain('hunter2');
  });
});

describe('keeps out', () => {
  // The first two once blocked the process for minutes, for a client without a token.
  test.each([
    ['an item beyond the end of a list', 'variables.ids.99999999'],
    ['the length of a list', 'variables.ids.length'],
    ['a property of a text', 'variables.text.length'],
    ['a place that has a value', 'variables.text'],
    ['places below one that is missing', `variables${'.a'.repeat(1_000)}`],
    ['a prototype', 'variables.__proto__.file'],
  ])('a map with %s', async (_, path) => {
    const query = 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }';
    const { status, code } = await post(
      formOf([
        ['operations', JSON.stringify({ query, variables: { ids: [], text: 'a' } })],
        ['map', JSON.stringify({ 0: [path] })],
        ['0', '99999999'],
      ]),
      invalidToken,
    );
    expect([status, code]).toEqual([400, 'BAD_REQUEST']);
  });

  test.each(['""', '"a"', '7', 'true', '[]'])(
    'operations that are %s, as BAD_REQUEST and not as an error of this server',
    async (text) => {
      for (const map of ['{}', '1e308', '{"0":["variables.file"]}']) {
        const { status, code } = await post(
          formOf([
            ['operations', text],
            ['map', map],
            ['0', wavFile(10)],
          ]),
        );
        expect([status, code], map).toEqual([400, expect.stringMatching(/^BA/)]);
      }
      expect(it.logs.filter(({ level }) => level === 'error')).toEqual([]);
    },
  );

  // Sixteen such requests once kept every other owner from uploading for five minutes.
  test.each([
    ['without a scope of lip-syncs', 'Bearer stranger'],
    ['without the scope to upload', 'Bearer reader'],
    ['without a valid token', 'Bearer invalid'],
  ])('a caller %s that only sends heads: other owners continue to upload', async (_, token) => {
    const held = Array.from({ length: 32 }, () => startForm(token, { bytes: 0 }));
    const uploads = await Promise.all(owners.map((name) => post(small, as(name))));
    expect(uploads.map(({ status }) => status)).toEqual(owners.map(() => 200));
    for (const { request } of held) request.destroy();
  });

  test('an owner that only sends heads: other owners continue to upload', async () => {
    const held = Array.from({ length: 32 }, () => startForm(`Bearer ${key}`, { bytes: 0 }));
    await vi.waitFor(async () => expect((await post(small)).status).toBe(503), longWait);
    const uploads = await Promise.all(owners.map((name) => post(small, as(name))));
    expect(uploads.map(({ status }) => status)).toEqual(owners.map(() => 200));
    for (const { request } of held) request.destroy();
    await vi.waitFor(async () => expect((await post(small)).status).toBe(200), longWait);
  });

  test('five owners that hold all they can: the sixth uploads', async () => {
    const [sixth = '', ...holders] = owners;
    const held = holders.flatMap((name) =>
      Array.from({ length: 8 }, () => startForm(`Bearer ${name}`, { bytes: 0 })),
    );
    await vi.waitFor(async () => {
      for (const name of holders) expect((await post(small, as(name))).status).toBe(503);
    }, longWait);
    expect((await post(small, as(sixth))).status).toBe(200);
    for (const { request } of held) request.destroy();
  });

  test('a request that sends only its head, after the idle timeout', async () => {
    await using impatient = await startTestApp({
      env: { API_KEYS: apiKeys.join(), ALLOW_ANONYMOUS: 'false' },
      clientTimeouts: { headersMs: 60_000, bodyMs: 60_000, filesMs: 60_000, idleMs: 1_000 },
    });
    const held = Array.from({ length: 4 }, () =>
      startForm(`Bearer ${key}`, { url: impatient.url, bytes: 0 }),
    );
    const ended = await Promise.all(held.map(({ answered }) => answered));
    expect(ended.map((response) => response?.statusCode)).toEqual([408, 408, 408, 408]);
  });

  test.each([
    ['parsed', 'multipart/form-data; boundary=x'],
    ['not parsed, for its type in capitals', 'MULTIPART/FORM-DATA; boundary=x'],
  ])('a client that disconnects in the middle of a form that is %s', async (_, type) => {
    const requests = () => it.logs.filter(({ msg }) => msg === 'request').length;
    const before = requests();
    const { request, answered } = startForm(`Bearer ${key}`, { type });
    await new Promise((resolve) => request.write(' ', resolve));
    request.destroy();
    expect(await answered).toBeNull();
    await vi.waitFor(() => expect(requests()).toBeGreaterThan(before), longWait);
    expect((await post(small)).status).toBe(200);
    expect(it.logs.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('more than a megabyte from a caller that is not allowed to upload', async () => {
    for (const authorization of [invalidToken.authorization, 'Basic x', 'Bearer reader']) {
      const { status, code } = await post(formOf(partsWith(wavFile(megabyte))), { authorization });
      expect([status, code]).toEqual(tooLarge);
    }
  });
});
