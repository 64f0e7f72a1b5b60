import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { wavHeader } from '../support/wav.ts';
import { send } from './send.ts';

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
  const { status, text } = await send(it.url, {
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

const sound = (bytes: number) => Buffer.concat([wavHeader(bytes), Buffer.alloc(bytes)]);
const nobody = { authorization: 'Bearer nobody' };
const whole = (file: Buffer): Part[] => [
  ['operations', operations],
  ['map', map],
  ['0', file],
];
const tooLarge = [413, 'REQUEST_TOO_LARGE'];

describe('works', () => {
  test('a file of 25 MB is taken whole', async () => {
    const bytes = 25 * 1024 ** 2 - 44;
    const { data } = await post(formOf(whole(sound(bytes))));
    expect(data.uploadAudio).toEqual({ __typename: 'UploadAudioSuccess' });
  });

  test('nobody is told so, with a file that is small', async () => {
    const { data } = await post(formOf(whole(sound(megabyte / 2))), nobody);
    expect(data.uploadAudio).toMatchObject({ code: 'NOT_AUTHENTICATED' });
  });
});

describe('refuses', () => {
  test('more of them at once than memory is for, until there is room', async () => {
    const form = formOf(whole(sound(megabyte)));
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
    const small = formOf(whole(sound(10)));
    await vi.waitFor(async () => {
      const { status, code } = await post(small);
      expect([status, code]).toEqual([503, 'TOO_MANY_FILES']);
    }, 10_000);
    expect((await post(small, nobody)).code ?? 'executed').toBe('executed');
    const [left, ...staying] = slow;
    left?.answered.catch(() => undefined);
    left?.request.destroy();
    await vi.waitFor(async () => expect((await post(small)).status).toBe(200), 10_000);
    for (const { request, answered } of staying) {
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
      'places for its files of more',
      () => [
        ['operations', operations],
        ['map', `${map}${' '.repeat(megabyte)}`],
      ],
    ],
    [
      'texts of more, which nobody reads',
      () => [
        ...whole(sound(100)),
        ['y', 'y'.repeat(megabyte / 2)],
        ['z', 'z'.repeat(megabyte / 2)],
      ],
    ],
    ['files of more than 25 MB', () => whole(Buffer.alloc(27 * 1024 ** 2))],
  ])('%s, as too large', async (_, parts) => {
    const { status, code } = await post(formOf(parts()));
    expect([status, code]).toEqual(tooLarge);
  });

  test('files of more than 25 MB whose length is told by nobody', async () => {
    const form = formOf(whole(Buffer.alloc(27 * 1024 ** 2)));
    const { status, code } = await post(form, { 'transfer-encoding': 'chunked' });
    expect([status, code]).toEqual(tooLarge);
  });

  test.each<[string, () => Buffer]>([
    [
      'without operations',
      () =>
        formOf([
          ['map', map],
          ['0', sound(10)],
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
      'with operations that are no JSON',
      () =>
        formOf([
          ['operations', '{"password":"hunter2"'],
          ['map', map],
        ]),
    ],
    [
      'with operations that are nothing',
      () =>
        formOf([
          ['operations', 'null'],
          ['map', map],
          ['0', sound(10)],
        ]),
    ],
    [
      'with a map that is no JSON',
      () =>
        formOf([
          ['operations', operations],
          ['map', '{"hunter2"'],
        ]),
    ],
    [
      'with a map of what is no list',
      () =>
        formOf([
          ['operations', operations],
          ['map', '{"0":7}'],
        ]),
    ],
    [
      'with places that are no text',
      () =>
        formOf([
          ['operations', operations],
          ['map', '{"0":[{}]}'],
          ['0', sound(10)],
        ]),
    ],
    [
      'that breaks off',
      () =>
        formOf(
          [
            ['operations', operations],
            ['map', map],
          ],
          '--x\r\ncontent-disp',
        ),
    ],
    ['of nothing', () => Buffer.from('hunter2')],
  ])('a form %s, in words of its own', async (_, form) => {
    const { status, code, text } = await post(form());
    expect([status, code]).toEqual([400, 'BAD_REQUEST']);
    expect(text).not.toContain('hunter2');
  });
});

describe('keeps out', () => {
  test.each(['""', '"a"', '7', 'true', '[]'])(
    'operations that are %s: they were an unmeant error of ours',
    async (text) => {
      for (const places of ['{}', '1e308', '{"0":["variables.file"]}']) {
        const { status, code } = await post(
          formOf([
            ['operations', text],
            ['map', places],
            ['0', sound(10)],
          ]),
        );
        expect([status, code], places).toEqual([400, expect.stringMatching(/^BA/)]);
      }
      expect(it.logs.filter(({ level }) => level === 'error')).toEqual([]);
    },
  );

  test('a megabyte of whoever may upload nothing: 25 were held in memory for each', async () => {
    for (const authorization of [nobody.authorization, 'Basic x']) {
      const { status, code } = await post(formOf(whole(sound(megabyte))), { authorization });
      expect([status, code]).toEqual(tooLarge);
    }
  });
});
