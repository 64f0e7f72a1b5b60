import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { sendRequest } from '../../support/http.ts';
import { RawWebSocket } from '../../support/raw-websocket.ts';

let it: TestApp;
beforeAll(async () => {
  it = await startTestApp();
});
afterAll(() => it?.stop());

/** `é` in Latin 1, in a comment of the document. As U+FFFD, which it was once decoded as, the document is valid. */
const around = ['{"query":"{ __typename # caf', '\\n }"}'] as const;
const inLatin1 = Buffer.concat([Buffer.from(around[0]), Buffer.of(0xe9), Buffer.from(around[1])]);
const inUtf8 = Buffer.from(around.join('é'));

const post = (accept: string, body: Buffer) =>
  sendRequest(it.url, {
    method: 'POST',
    path: '/graphql',
    headers: { 'content-type': 'application/json', accept },
    body,
  });

describe.each(['application/json', 'text/event-stream'])('a request for %s', (accept) => {
  test('is rejected with bytes that are not UTF-8', async () => {
    const { status, text } = await post(accept, inLatin1);
    expect(text).toContain('The request is not valid JSON.');
    expect(accept === 'application/json' ? status : 400).toBe(400);
  });

  test('is executed in UTF-8', async () => {
    expect((await post(accept, inUtf8)).text).toContain('"data":{"__typename":"Query"}');
  });
});

test('a WebSocket message with bytes that are not UTF-8 closes the connection with 1007', async () => {
  const raw = await RawWebSocket.open(it.url);
  raw.socket.send(inLatin1, { binary: false });
  expect(await raw.closed).toMatchObject({ code: 1007 });
});

test('two Authorization headers are rejected: a proxy in front can have checked the other one', async () => {
  const { status, text } = await sendRequest(it.url, {
    method: 'POST',
    path: '/graphql',
    headers: {
      'content-type': 'application/json',
      authorization: ['Bearer one', 'Bearer other'] as unknown as string,
    },
    body: inUtf8,
  });
  expect([status, JSON.parse(text).errors[0].message]).toEqual([
    400,
    'Invalid Authorization header.',
  ]);
});
