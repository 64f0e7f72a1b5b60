import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { sendRequest } from '../support/http.ts';
import { wavHeader } from '../support/wav.ts';

const key = 'the-key-of-a-studio';
const hash = createHash('sha256').update(key).digest('hex');
const megabyte = 1_000_000;

let it: TestApp;
beforeAll(async () => {
  it = await startTestApp({
    env: { API_KEYS: `studio:${hash}:lipsync:read lipsync:write`, ALLOW_ANONYMOUS: 'false' },
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

const wavFile = (bytes: number) => Buffer.concat([wavHeader(bytes), Buffer.alloc(bytes)]);
const invalidToken = { authorization: 'Bearer invalid' };
const partsWith = (file: Buffer): Part[] => [
  ['operations', operations],
  ['map', map],
  ['0', file],
];
const tooLarge = [413, 'REQUEST_TOO_LARGE'];

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
});

describe('refuses', () => {
  test('more than 16 requests at once with 503, until one of them ends', async () => {
    const form = formOf(partsWith(wavFile(megabyte)));
    const slow = Array.from({ length: 16 }, () => {
      const request = http.request(`${it.url}/graphql`, {
        method: 'POST',
        headers: {
          'content-type': 'multipart/form-data; boundary=x',
          'content-length': form.length,
          'x-csrf': '1',
          authorization: `Bearer ${key}`,
        },
      });
      request.write(form.subarray(0, megabyte / 2));
      return { request, answered: once(request, 'response') };
    });
    const small = formOf(partsWith(wavFile(10)));
    await vi.waitFor(async () => {
      const { status, code } = await post(small);
      expect([status, code]).toEqual([503, 'TOO_MANY_FILES']);
    }, 10_000);
    expect((await post(small, invalidToken)).code ?? 'executed').toBe('executed');
    const [disconnecting, ...others] = slow;
    disconnecting?.answered.catch(() => undefined);
    disconnecting?.request.destroy();
    await vi.waitFor(async () => expect((await post(small)).status).toBe(200), 10_000);
    for (const { request, answered } of others) {
      request.end(form.subarray(megabyte / 2));
      const [response] = (await answered) as [http.IncomingMessage];
      expect(response.statusCode).toBe(200);
      response.resume();
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

  test('more than a megabyte from a caller that is not allowed to upload', async () => {
    for (const authorization of [invalidToken.authorization, 'Basic x']) {
      const { status, code } = await post(formOf(partsWith(wavFile(megabyte))), { authorization });
      expect([status, code]).toEqual(tooLarge);
    }
  });
});
