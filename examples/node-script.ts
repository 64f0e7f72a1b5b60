import { openAsBlob } from 'node:fs';
import { basename } from 'node:path';
import {
  LipsyncConnectionError,
  makeLipsync,
  serverSentEvents,
  uploadFile,
} from 'lipsync-graphql-client';

// `node node-script.ts speech.mp3 <video id>`: the person in that video says what is in the file.
const [, , path = '', videoId = ''] = process.argv;
const say = (line: string) => process.stdout.write(`${line}\n`);

const server = {
  url: process.env.LIPSYNC_URL ?? 'http://127.0.0.1:4000/graphql',
  token: process.env.LIPSYNC_TOKEN ?? null,
  transport: serverSentEvents(),
};

async function main(): Promise<number> {
  const file = await openAsBlob(path);
  const sound = await uploadFile(server, file, {
    kind: 'AUDIO',
    contentType: path.endsWith('.wav') ? 'audio/wav' : 'audio/mpeg',
    filename: basename(path),
    onProgress: ({ sentBytes }) => say(`sent ${Math.round((100 * sentBytes) / file.size)} %`),
  });
  if (sound.__typename !== 'UploadReady') return complain(sound);

  const input = { video: { id: videoId }, speech: { audioUploadId: sound.id } };
  const end = await makeLipsync(server, input, {
    deadlineMs: 30 * 60_000,
    onCreated: ({ id }) => say(`made ${id}`),
    onProgress: ({ sequence, status, percent }) => say(`${sequence} ${status} ${percent} %`),
  });
  switch (end.outcome) {
    case 'COMPLETED':
      say(end.video.url ?? 'It was deleted meanwhile.');
      return 0;
    case 'FAILED':
    case 'MODERATED':
    case 'REFUSED':
      return complain(end.failure);
    case 'STILL_RUNNING':
      return complain({ code: end.outcome, message: 'It takes longer than half an hour.' });
    case 'CANCELLED':
    case 'EXPIRED':
    case 'FUTURE':
      return complain({ code: end.outcome, message: 'There will be no video.' });
  }
}

function complain({ code, message }: { code: string; message: string }): number {
  process.stderr.write(`${message} [${code}]\n`);
  return 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof LipsyncConnectionError)) throw error;
  process.exitCode = complain({ code: 'OFFLINE', message: error.message });
}
