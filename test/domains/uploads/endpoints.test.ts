import { expect, test } from 'vitest';
import { postFile } from '../../../src/domains/uploads/endpoints.ts';
import { connect, serveAnswer, thrownBy } from '../../upstream/servers.ts';

async function* bytes(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('RIFF');
}

const file = () => ({ body: bytes(), contentType: 'audio/wav', contentLength: 4 });

test.each([
  [{ path: 'upload/1.wav', url: 'https://media.example/1.wav' }],
  [{ path: 'upload/1.wav', url: 'https://media.example/1.wav', result: [] }],
  [{ path: 'upload/1.wav', url: 'https://media.example/1.wav', result: null }],
  [
    {
      result: [
        { id: 1, path: 'upload/1.wav', url: 'https://media.example/1.wav', size: 4, err_msg: '' },
      ],
    },
  ],
])('the path is found in %j', async (body) => {
  const served = await serveAnswer(200, body);
  expect(await postFile(connect(served.baseUrl).upstream, { ...file(), email: 'a+b@c.d' })).toEqual(
    { path: 'upload/1.wav', url: 'https://media.example/1.wav' },
  );
  expect(served.requests).toMatchObject([
    {
      method: 'POST',
      path: '/v2/pixverse/files/?email=a%2Bb%40c.d',
      headers: { 'content-type': 'audio/wav', 'content-length': '4' },
      body: Buffer.from('RIFF'),
    },
  ]);
});

test.each([
  [{}],
  [{ error: 'x' }],
  [{ path: '' }],
  [{ result: [{ path: 'upload/1.png', err_msg: 'too large' }] }],
  [[]],
])('%j is INVALID_ANSWER', async (body) => {
  const served = await serveAnswer(200, body);
  const posted = postFile(connect(served.baseUrl).upstream, file());
  expect(await thrownBy(posted)).toMatchObject({ reason: 'INVALID_ANSWER' });
});
