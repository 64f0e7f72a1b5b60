import { once } from 'node:events';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { signToken } from '../../src/callbacks/token.ts';
import { startTestApp, type TestApp } from '../support/app.ts';

const secret = 'a secret of sixteen bytes and more';
const id = '11111111-2222-3333-4444-555555555555';
let it: TestApp;

beforeAll(async () => {
  it = await startTestApp({ env: { CALLBACK_SECRET: secret } });
});
afterAll(() => it.stop());

const callback = (token: string, body: string) =>
  fetch(`${it.url}/callbacks/${token}`, { method: 'POST', body });
const valid = () => signToken([secret], { purpose: 'callback', id });

describe('works', () => {
  test.each(['', '{', '[]', 'null', '{"video_id":{}}', '<html>', '{"video_id":"x"}'])(
    'a valid token gets 200 with any body: %s',
    async (body) => {
      const response = await callback(valid(), body);
      expect([response.status, await response.text()]).toEqual([200, 'ok\n']);
    },
  );

  test('a valid token gets 200 with a body of 2 MB, and one that is invalid 404', async () => {
    const body = JSON.stringify({ video_id: 'x'.repeat(2_000_000) });
    expect((await callback(valid(), body)).status).toBe(200);
    expect((await callback(`${valid()}x`, body)).status).toBe(404);
  });
});

describe('keeps out', () => {
  test('a thousand forged callbacks, without an upstream call', async () => {
    const before = await it.readSandbox<unknown[]>('requests');
    const forged = Array.from({ length: 1_000 }, (_, at) => `${valid().slice(0, -4)}${at + 1000}`);
    const statuses = await Promise.all(
      forged.map(async (token) => (await callback(token, '{"video_id":"x"}')).status),
    );
    expect(new Set(statuses)).toEqual(new Set([404]));
    expect(await it.readSandbox<unknown[]>('requests')).toEqual(before);
  });

  test('an endless body: the callback is answered before its end', async () => {
    const answered = Promise.withResolvers<number | undefined>();
    const endless = request(`${it.url}/callbacks/${valid()}`, { method: 'POST' }, (response) =>
      answered.resolve(response.statusCode),
    );
    endless.on('error', () => undefined);
    const chunk = Buffer.alloc(65_536, 'x');
    const write = () => {
      while (endless.write(chunk));
    };
    endless.on('drain', write);
    write();
    expect(await answered.promise).toBe(200);
    endless.destroy();
  });

  test('a body that never arrives: the callback is answered without it', async () => {
    const headers = { 'content-length': 500 };
    const slow = request(`${it.url}/callbacks/${valid()}`, { method: 'POST', headers });
    slow.on('error', () => undefined);
    slow.write('{"video_id":');
    const [response] = (await once(slow, 'response')) as [{ statusCode: number }];
    expect(response.statusCode).toBe(200);
    slow.destroy();
  });

  test('other methods than POST', async () => {
    const response = await fetch(`${it.url}/callbacks/${valid()}`);
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
  });
});
