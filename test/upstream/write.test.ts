import { describe, expect, test } from 'vitest';
import { InvalidInputError, NotFoundError } from '../../src/errors.ts';
import { queryText, rawSegment } from '../../src/upstream/path.ts';
import { findFreePort } from '../support/free-port.ts';
import { connect, secrets, serveAnswer, serveBytes, serveTcp, thrownBy } from './servers.ts';

const deletion = { method: 'DELETE', path: '/things/1' } as const;

describe('a write', () => {
  test.each([
    [204, undefined, undefined],
    [200, '', undefined],
    [200, { ok: true }, { ok: true }],
    [200, 'OK', undefined],
    [201, { email: 'x' }, { email: 'x' }],
  ])('accepts a response %i with %j', async (status, body, given) => {
    const served = await serveAnswer(status, body);
    expect(await connect(served.baseUrl).upstream.write(deletion)).toEqual(given);
    expect(served.requests).toMatchObject([{ method: 'DELETE', path: '/v2/pixverse/things/1' }]);
  });

  test.each([
    [200, { error: 'no', code: 500 }, 'UPSTREAM_UNAVAILABLE'],
    [400, { error: 'x' }, 'INVALID_INPUT'],
    [404, '', 'NOT_FOUND'],
    [429, '<html>', 'RATE_LIMITED'],
    [500, { error: 'x' }, 'UPSTREAM_UNAVAILABLE'],
    [596, { error: 'x' }, 'ACCOUNT_PENDING'],
  ])('throws for %i with %j, and is not sent twice', async (status, body, code) => {
    const served = await serveAnswer(status, body);
    expect(await thrownBy(connect(served.baseUrl).upstream.write(deletion))).toMatchObject({
      code,
    });
    expect(served.requests).toHaveLength(1);
  });

  test('is retryable only if it was not sent', async () => {
    const unreachable = connect(`http://127.0.0.1:${await findFreePort()}`).upstream;
    expect(await thrownBy(unreachable.write(deletion))).toMatchObject({ retryable: true });
    const cutting = await serveTcp((socket) => socket.once('data', () => socket.destroy()));
    expect(await thrownBy(connect(cutting.baseUrl).upstream.write(deletion))).toMatchObject({
      reason: 'CONNECTION_FAILED',
      retryable: false,
    });
    expect(cutting.connections).toBe(1);
    const silent = await serveBytes();
    const { upstream } = connect(silent.baseUrl, { timeoutMs: 60 });
    expect(await thrownBy(upstream.write(deletion))).toMatchObject({ reason: 'TIMEOUT' });
  });

  test.each([403, 500, 503])(
    'is not retryable after %i, because it may have taken effect',
    async (status) => {
      const served = await serveAnswer(status, { error: 'x' });
      expect(await thrownBy(connect(served.baseUrl).upstream.write(deletion))).toMatchObject({
        code: 'UPSTREAM_UNAVAILABLE',
        retryable: false,
      });
    },
  );

  test('can give a status another meaning for one endpoint', async () => {
    const served = await serveAnswer(401, { error: 'Wrong password' });
    const { upstream } = connect(served.baseUrl);
    const failureOf = (status: number) =>
      status === 401
        ? new InvalidInputError([{ path: [], message: 'mine', code: 'REJECTED' }])
        : undefined;
    expect(await thrownBy(upstream.write({ ...deletion, failureOf }))).toMatchObject({
      message: 'mine',
    });
  });
});

describe('the log', () => {
  test('has the status and the endpoint, and nothing of the response or of the address', async () => {
    const text = `{"error":"${secrets.token} of ${secrets.email} ${'x'.repeat(500)}"}`;
    const served = await serveAnswer(503, text);
    const { upstream, logged } = connect(served.baseUrl);
    await thrownBy(upstream.write({ method: 'DELETE', path: `/accounts/${secrets.email}` }));
    expect(logged()).toContain('"status":503');
    expect(logged()).toContain('DELETE /accounts/…');
    expect(logged()).not.toContain(secrets.token);
    expect(logged()).not.toContain('@');
    expect(logged()).not.toContain('xxx');
    expect(logged().length).toBeLessThan(300);
  });

  test('has no text of a response to a request with JSON, which may contain a password', async () => {
    const served = await serveAnswer(400, { error: 'bad password hunter2' });
    const { upstream, logged } = connect(served.baseUrl);
    await thrownBy(upstream.write({ ...deletion, method: 'POST', json: { password: 'hunter2' } }));
    expect(logged()).toContain('"status":400');
    expect(logged()).not.toContain('hunter2');
  });

  test('has nothing about a success', async () => {
    const served = await serveAnswer(200, {});
    const { upstream, logged } = connect(served.baseUrl);
    await upstream.write(deletion);
    expect(logged()).toBe('');
  });
});

describe('an id in a path', () => {
  test.each([
    'user:1-pixverse:a+b@c.d-video:370538497751884',
    '370538497751884',
    "o'neil@example.org",
    'a..b@c.d',
  ])('is sent unchanged: %s', (id) => {
    expect(rawSegment(id, 'The video')).toBe(id);
  });

  test.each([
    '',
    '.',
    '..',
    'voices',
    'lipsync',
    'available',
    '1/2',
    '1?2',
    '1#2',
    '1%2',
    '1\\2',
    '1 2',
    '1\n2',
    '1\t',
    '\u00001',
    '1\u007f',
    '1\u202e',
    '1'.repeat(513),
    '1\ud800',
  ])('is reported as not found without a request if it is not an id: %j', (id) => {
    expect(() => rawSegment(id, 'The video')).toThrow(NotFoundError);
  });
});

test('of an e-mail in a path only what no request line can contain is encoded', () => {
  expect(rawSegment('user:1-pixverse:jürgen+1@bücher.de-video:5', 'The video')).toBe(
    'user:1-pixverse:j%C3%BCrgen+1@b%C3%BCcher.de-video:5',
  );
});

test('a query is encoded, and undefined values are omitted', () => {
  expect(queryText({ email: 'a+b@c.d', q: 'x y&z', n: 0, no: undefined })).toBe(
    '?email=a%2Bb%40c.d&q=x%20y%26z&n=0',
  );
  expect(queryText({ no: undefined })).toBe('');
});

test.each(['', 'with space', 'line\nbreak', 'é'])(
  'a token that a header cannot hold is rejected: %j',
  (token) => {
    expect(() => connect('http://127.0.0.1:1', { token })).toThrow(TypeError);
  },
);
