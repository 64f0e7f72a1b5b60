import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { signToken } from '../../../src/callbacks/token.ts';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { createUpload } from '../../support/uploads.ts';

const secret = 'a secret of this test only';

let it: TestApp;
beforeAll(async () => {
  it = await startTestApp({ env: { CALLBACK_SECRET: secret } });
});
afterAll(() => it?.stop());

const json = { 'content-type': 'application/json' };
const form = { 'content-type': 'multipart/form-data; boundary=x', 'x-csrf': '1' };
const megabytes = (count: number) => count * 1_000_000;

async function readAnswer(sent: ReturnType<typeof request>) {
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  const body = text.startsWith('{') ? JSON.parse(text) : {};
  return { status: response.statusCode, code: body.errors?.[0]?.extensions.code };
}

const send = (path: string, headers: OutgoingHttpHeaders, method = 'POST') =>
  request(`${it.url}${path}`, { method, headers, agent: false });

/** Sends 30 MB, and reads the answer only then. Fails on any error of the connection. */
async function sendAll(
  path: string,
  {
    headers,
    isAnnounced,
    method,
  }: { headers: OutgoingHttpHeaders; isAnnounced: boolean; method?: string },
) {
  const body = Buffer.alloc(megabytes(30), 'x');
  const length = isAnnounced ? { 'content-length': body.byteLength } : {};
  const sent = send(path, { ...headers, ...length }, method);
  const errors: Error[] = [];
  sent.on('error', (error) => errors.push(error));
  const flushed = once(sent, 'finish');
  const answer = readAnswer(sent);
  if (isAnnounced) sent.end(body);
  else {
    for (let at = 0; at < body.byteLength; at += 65_536) sent.write(body.subarray(at, at + 65_536));
    sent.end();
  }
  await flushed;
  const read = await answer;
  expect(errors).toEqual([]);
  return read;
}

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
    socket.write('1\r\nx\r\n'.repeat(20_000));
    socket.resume();
    await new Promise((resolve) => socket.once('close', resolve));
    expect(socket.destroyed).toBe(true);
  });

  test.each([
    ['JSON with content-length', '/graphql', json, true],
    ['JSON in chunks', '/graphql', json, false],
    ['a form in chunks', '/graphql', form, false],
    ['a callback with content-length', '/callbacks/x', json, true],
  ])('30 MB of %s: a client that first sends everything can read the answer', async (...row) => {
    const [, path, headers, isAnnounced] = row;
    expect(await sendAll(path, { headers, isAnnounced })).toEqual(rejected);
  });

  // Their parser stops where it finds too much, so the rest must be read by something else before the answer.
  test.each<[string, number, Buffer, object]>([
    ['40 MB', 40, Buffer.alloc(65_536, 'x'), rejected],
    [
      'thousands of fields',
      20,
      Buffer.from('--x\r\ncontent-disposition: form-data; name="a"\r\n\r\nb\r\n'),
      { status: 400, code: 'BAD_REQUEST' },
    ],
  ])('%s of a form, sent as fast as the server reads', async (...row) => {
    const [, size, pieces, expected] = row;
    const sent = send('/graphql', form);
    const answer = readAnswer(sent);
    const piece = Buffer.alloc(1_000_000, pieces);
    for (let count = 0; count < size; count += 1) {
      await new Promise<void>((resolve, reject) => {
        sent.write(piece, (error) => (error ? reject(error) : resolve()));
      });
    }
    sent.end();
    expect(await answer).toEqual(expected);
  });

  test('30 MB with Expect: 100-continue, also of a client that does not wait', async () => {
    const headers = { ...json, expect: '100-continue' };
    expect(await sendAll('/graphql', { headers, isAnnounced: true })).toEqual(rejected);
  });

  // The size of an upload and of a callback is not limited by their endpoint, so a body in chunks gets another answer.
  test('30 MB in chunks for a callback, an unknown path and a probe, with a readable answer', async () => {
    const chunked = { headers: json, isAnnounced: false };
    const token = signToken([secret], { purpose: 'callback', id: randomUUID() });
    expect(await sendAll(`/callbacks/${token}`, chunked)).toMatchObject({ status: 200 });
    expect(await sendAll('/callbacks/x', chunked)).toMatchObject({ status: 404 });
    expect(await sendAll('/nothing', chunked)).toMatchObject({ status: 404 });
    expect(await sendAll('/livez', chunked)).toMatchObject({ status: 405 });
  });

  test.each([
    ['with content-length', true],
    ['in chunks', false],
  ])('30 MB %s for an upload of 1 kB, with a readable answer', async (_, isAnnounced) => {
    const { pathname } = new URL((await createUpload(it, { size: 1_000 })).url);
    const headers = { 'content-type': 'audio/wav' };
    const answer = await sendAll(pathname, { headers, isAnnounced, method: 'PUT' });
    // The size is wrong, not above a limit.
    expect(answer).toMatchObject({ status: 400 });
  });

  test.each<[string, string, OutgoingHttpHeaders, object?, string?]>([
    ['JSON', '/graphql', json],
    ['a form', '/graphql', form],
    ['a query by GET', '/graphql?query={__typename}', {}, rejected, 'GET'],
    ['an event stream', '/graphql', { ...json, accept: 'text/event-stream' }],
    ['a multipart stream', '/graphql', { ...json, accept: 'multipart/mixed;subscriptionSpec=1.0' }],
    ['a tool', '/mcp', json],
    ['a callback', '/callbacks/x', json],
    ['a link to a result', '/results/x', {}, rejected, 'GET'],
    ['a probe', '/livez', json],
    ['metrics', '/metrics', {}, rejected, 'GET'],
    ['an unknown path', '/nothing', json],
  ])('30 MB of %s with Expect: 100-continue, without permission to send', async (...row) => {
    const [, path, ownHeaders, expected = rejected, method] = row;
    const headers = { ...ownHeaders, 'content-length': megabytes(30), expect: '100-continue' };
    const sent = send(path, headers, method);
    let isPermitted = false;
    sent.on('continue', () => {
      isPermitted = true;
    });
    sent.on('error', () => undefined);
    sent.flushHeaders();
    expect(await readAnswer(sent)).toMatchObject(expected);
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
