import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { signToken } from '../../../src/callbacks/token.ts';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { longWait } from '../../support/lipsyncs.ts';
import { createUpload } from '../../support/uploads.ts';
import { wavHeader } from '../../support/wav.ts';

const secret = 'sixteen bytes or more';
const unknownId = '00000000-0000-4000-8000-000000000000';

let it: TestApp;
beforeAll(async () => {
  it = await startTestApp({
    env: { CALLBACK_SECRET: secret },
    clientTimeouts: { headersMs: 1_000, bodyMs: 200, filesMs: 300, idleMs: 10_000 },
  });
});
afterAll(() => it?.stop());

async function openSocket(url = it.url): Promise<Socket> {
  const { port, hostname } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** Everything received until the server has closed the connection. */
async function readAll(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (part: Buffer) => {
    text += part.toString();
  });
  // Not `once` of node:events, which rejects on an error.
  await new Promise((resolve) => socket.once('close', resolve));
  return text;
}

const head = (first: string, headers: string) =>
  `${first} HTTP/1.1\r\nhost: localhost\r\n${headers}\r\n\r\n`;
const json = 'content-type: application/json';
const partOfJson = '{"query":';

const callbackPath = () =>
  `/callbacks/${signToken([secret], { purpose: 'callback', id: unknownId })}`;

describe('keeps out', () => {
  test.each<[string, () => string]>([
    ['headers', () => 'POST /graphql HTTP/1.1\r\nhost: localhost\r\nx-slow: '],
    ['a URL', () => 'GET /graph'],
    [
      'an operation',
      () => `${head('POST /graphql', `${json}\r\ncontent-length: 9999`)}${partOfJson}`,
    ],
    [
      'an operation in chunks',
      () =>
        `${head('POST /graphql', `${json}\r\ntransfer-encoding: chunked`)}9\r\n${partOfJson}\r\n`,
    ],
    [
      'a file',
      () =>
        `${head('POST /graphql', 'content-type: multipart/form-data; boundary=x\r\nx-csrf: 1\r\ncontent-length: 90')}--x\r\n`,
    ],
    ['a callback', () => `${head(`POST ${callbackPath()}`, `${json}\r\ncontent-length: 9999`)}{`],
    ['a forged callback', () => `${head('POST /callbacks/x', 'content-length: 99999')}{`],
    ['a body to an unknown path', () => `${head('POST /nowhere', 'content-length: 99999')}{`],
    ['a body of a preflight', () => `${head('OPTIONS /graphql', 'content-length: 99999')}{`],
    [
      'a body with an unknown Expect',
      () => `${head('POST /graphql', 'expect: tea\r\ncontent-length: 99999')}{`,
    ],
    [
      'a body to an upload with another method',
      () => `${head('POST /uploads/x', 'content-length: 99999')}{`,
    ],
    ['a body to a probe', () => `${head('GET /livez', 'content-length: 99999')}{`],
  ])('a client that sends %s without end: its connection is closed', async (_, text) => {
    const socket = await openSocket();
    socket.write(text());
    // One byte now and then: each would restart an idle timeout.
    const trickle = setInterval(() => socket.write('1'), 50);
    const received = await readAll(socket);
    clearInterval(trickle);
    expect(received).toMatch(/^HTTP\/1\.1 (408|404|405|417|20[04]) /);
    expect(received).toMatch(/x-content-type-options: nosniff/i);
  });

  test('a client that keeps its side of a rejected connection open', async () => {
    const { port, hostname } = new URL(it.url);
    const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
    socket.on('error', () => undefined);
    const ended = once(socket, 'end');
    socket.resume().write('this is nothing\r\n\r\n');
    await ended;
    // The server has destroyed the connection: a write fails.
    while (!socket.destroyed) {
      socket.write('more');
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(socket.destroyed).toBe(true);
  });

  test.each([
    ['an operation', '/graphql', json],
    ['a form', '/graphql', 'content-type: multipart/form-data; boundary=x\r\nx-csrf: 1'],
  ])('errors from the log when a client disconnects while sending %s', async (_, path, type) => {
    const requests = () => it.logs.filter(({ msg }) => msg === 'request').length;
    const before = requests();
    const socket = await openSocket();
    socket.write(`${head(`POST ${path}`, `${type}\r\ncontent-length: 9999`)}--x\r\n`);
    // The request is accepted, and has not timed out yet.
    await fetch(`${it.url}/livez`);
    socket.resetAndDestroy();
    await vi.waitFor(() => expect(requests() - before).toBeGreaterThanOrEqual(2), {
      timeout: 60_000,
    });
  });

  test.each([
    ['an operation', 'POST /graphql', json],
    ['a form', 'POST /graphql', 'content-type: multipart/form-data; boundary=x\r\nx-csrf: 1'],
    ['a body to an unknown path', 'POST /nowhere', json],
  ])('a client that stops sending %s, long before its time limit', async (_, first, type) => {
    await using patient = await startTestApp({
      clientTimeouts: { headersMs: 60_000, bodyMs: 60_000, filesMs: 60_000, idleMs: 200 },
    });
    const socket = await openSocket(patient.url);
    socket.write(`${head(first, `${type}\r\ncontent-length: 9999`)}--x\r\n`);
    expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 (408|404) /);
  });

  // A client with one byte every nine seconds once held a slot for five minutes, and held it again with its next
  // request.
  test.each([
    ['an operation', json],
    ['a form', 'content-type: multipart/form-data; boundary=x\r\nx-csrf: 1'],
  ])('a client that sends %s by single bytes, long before its time limit', async (_, type) => {
    await using slow = await startTestApp({
      clientTimeouts: { headersMs: 60_000, bodyMs: 60_000, filesMs: 60_000, idleMs: 500 },
    });
    const socket = await openSocket(slow.url);
    socket.write(head('POST /graphql', `${type}\r\ncontent-length: 9999`));
    const drip = setInterval(() => socket.write('-'), 50);
    expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 408 /);
    clearInterval(drip);
  });

  test('a client that does not read its response: it is disconnected', async () => {
    await using impatient = await startTestApp({
      clientTimeouts: {
        headersMs: 60_000,
        bodyMs: 60_000,
        filesMs: 60_000,
        idleMs: 60_000,
        unreadMs: 500,
      },
    });
    const socket = await openSocket(impatient.url);
    // Nine megabytes, which is more than the buffers of both systems hold.
    socket.pause().write(head('GET /graphql', 'accept: text/html'));
    const isLogged = () => impatient.logs.some(({ path }) => path === '/graphql');
    await vi.waitFor(() => expect(isLogged()).toBe(true), longWait);
    socket.destroy();
  });

  test('errors of this server: the tests above logged none', () => {
    expect(it.logs.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

describe('works', () => {
  test('a slow client with 8 kB in a second can send its operation', async () => {
    await using slow = await startTestApp({
      clientTimeouts: { headersMs: 60_000, bodyMs: 60_000, filesMs: 60_000, idleMs: 1_000 },
    });
    const body = JSON.stringify({ query: '{ viewer { name } }', operationName: null }).padEnd(
      20_000,
    );
    const socket = await openSocket(slow.url);
    socket.write(head('POST /graphql', `${json}\r\nconnection: close\r\ncontent-length: 20000`));
    let at = 0;
    const writer = setInterval(() => {
      socket.write(body.slice(at, at + 800));
      at += 800;
      if (at >= body.length) clearInterval(writer);
    }, 100);
    expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('an upload has no time limit while it makes progress', async () => {
    const { pathname } = new URL((await createUpload(it)).url);
    const sound = Buffer.concat([wavHeader(16_000), Buffer.alloc(16_000)]);
    const socket = await openSocket();
    socket.write(head(`PUT ${pathname}`, `connection: close\r\ncontent-length: ${sound.length}`));
    socket.write(sound.subarray(0, 8_000));
    // Wait until an operation that is as slow has timed out.
    const other = await openSocket();
    other.write(`${head('POST /graphql', `${json}\r\ncontent-length: 9999`)}${partOfJson}`);
    expect(await readAll(other)).toContain(' 408 ');
    socket.write(sound.subarray(8_000));
    expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 200 /);
  });
});
