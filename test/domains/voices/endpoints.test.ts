import { expect, test } from 'vitest';
import { listVoices } from '../../../src/domains/voices/endpoints.ts';
import { connect, serveAnswer, thrownBy } from '../../upstream/servers.ts';

test('voices are read with trimmed URLs, and voices without an id are dropped', async () => {
  const served = await serveAnswer(200, {
    tts_list: [
      { speaker_id: '1', url: 'https://media.example/1.mp3', display_name: 'Emily' },
      { speaker_id: '3', url: 'https://media.example/3.mp3\n', display_name: 'Isabella' },
      { speaker_id: 4, url: '', display_name: null },
      { speaker_id: '', display_name: 'Nobody' },
      null,
    ],
  });
  expect(await listVoices(connect(served.baseUrl).upstream, { email: 'a+b@c.d' })).toEqual([
    { speakerId: '1', name: 'Emily', previewUrl: 'https://media.example/1.mp3' },
    { speakerId: '3', name: 'Isabella', previewUrl: 'https://media.example/3.mp3' },
    { speakerId: '4', name: 'Voice 4', previewUrl: null },
  ]);
  expect(served.requests[0]?.path).toBe('/v2/pixverse/videos/voices/?email=a%2Bb%40c.d');
});

test.each([[{ tts_list: null }], [{ tts_list: [] }], [[]]])('%j gives no voices', async (body) => {
  const served = await serveAnswer(200, body);
  expect(await listVoices(connect(served.baseUrl).upstream)).toEqual([]);
});

test.each([[{}], [{ error: 'x' }], [{ tts_list: {} }]])('%j is INVALID_ANSWER', async (body) => {
  const served = await serveAnswer(200, body);
  const read = listVoices(connect(served.baseUrl).upstream);
  expect(await thrownBy(read)).toMatchObject({ reason: 'INVALID_ANSWER' });
});
