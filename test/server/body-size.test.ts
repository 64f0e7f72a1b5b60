import { once } from 'node:events';
import { type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';

let it: TestApp;
beforeAll(async () => {
  it = await startTestApp();
});
afterAll(() => it?.stop());

const json = { 'content-type': 'application/json' };
const form = { 'content-type': 'multipart/form-data; boundary=x', 'x-csrf': '1' };
const megabytes = (count: number) => count * 1_000_000;

async function readAnswer(sent: ReturnType<typeof request>) {
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode, code: JSON.parse(text).errors?.[0]?.extensions.code };
}

const send = (path: string, headers: OutgoingHttpHeaders, method = 'POST') =>
  request(`${it.url}${path}`, { method, headers, agent: false });

const rejected = { status: 413, code: 'REQUEST_TOO_LARGE' };

describe('refuses', () => {
  test.each<[string, string, OutgoingHttpHeaders, string?]>([
    ['JSON to /graphql', '/graphql', { ...json, 'content-length': megabytes(2) }],
    ['a form to /graphql', '/graphql', { ...form, 'content-length': megabytes(30) }],
    ['a callback', '/callbacks/x', { 'content-length': megabytes(30) }],
    ['a file of more than 5 GB', '/uploads/x', { 'content-length': 5 * 1024 ** 3 + 1 }, 'PUT'],
    ['a body for a probe', '/livez', { 'content-length': megabytes(30) }, 'GET'],
    ['a form to another path', '/livez', { ...form, 'content-length': megabytes(2) }, 'GET'],
    ['a body for an unknown path', '/nothing', { 'content-length': megabytes(30) }],
  ])(
    '%s that is too large by its head, before a byte of the body',
    async (...[, path, headers, method]) => {
      const sent = send(path, headers, method);
      sent.on('error', () => undefined);
      sent.flushHeaders();
      expect(await readAnswer(sent)).toEqual(rejected);
      sent.destroy();
    },
  );

  // Each chunk of a byte costs the server time and memory: a megabyte of them took two seconds.
  test('a body in more than 8,192 pieces, by closing the connection', async () => {
    const { port, hostname } = new URL(it.url);
    const socket = connect(Number(port), hostname);
    socket.on('error', () => undefined);
    const head = 'content-type: application/json\r\ntransfer-encoding: chunked';
    socket.write(`POST /graphql HTTP/1.1\r\nhost: localhost\r\n${head}\r\n\r\n`);
    socket.write('1\r\nx\r\n'.repeat(100_000));
    socket.resume();
    await new Promise((resolve) => socket.once('close', resolve));
    expect(socket.destroyed).toBe(true);
  });

  test.each([
    ['with content-length', true],
    ['in chunks', false],
  ])(
    '30 MB %s: a client that first sends everything can read the answer',
    async (_, isAnnounced) => {
      const body = Buffer.alloc(megabytes(30), 'x');
      const length = isAnnounced ? { 'content-length': body.byteLength } : {};
      const sent = send('/graphql', { ...json, ...length });
      const errors: Error[] = [];
      sent.on('error', (error) => errors.push(error));
      const flushed = once(sent, 'finish');
      const answer = readAnswer(sent);
      if (isAnnounced) sent.end(body);
      else {
        for (let at = 0; at < body.byteLength; at += 65_536)
          sent.write(body.subarray(at, at + 65_536));
        sent.end();
      }
      await flushed;
      expect(await answer).toEqual(rejected);
      expect(errors).toEqual([]);
    },
  );

  test('30 MB with Expect: 100-continue, without permission to send', async () => {
    const headers = { ...json, 'content-length': megabytes(30), expect: '100-continue' };
    const sent = send('/graphql', headers);
    let isPermitted = false;
    sent.on('continue', () => {
      isPermitted = true;
    });
    sent.on('error', () => undefined);
    sent.flushHeaders();
    expect(await readAnswer(sent)).toEqual(rejected);
    expect(isPermitted).toBe(false);
    sent.destroy();
  });
});

describe('works', () => {
  test('a request with Expect: 100-continue gets permission, and then its result', async () => {
    const body = JSON.stringify({ query: '{ viewer { name } }' });
    const headers = { ...json, 'content-length': Buffer.byteLength(body), expect: '100-continue' };
    const sent = send('/graphql', headers);
    sent.on('continue', () => sent.end(body));
    sent.flushHeaders();
    expect(await readAnswer(sent)).toEqual({ status: 200, code: undefined });
  });
});
