// The client kit in a Node script: uploads an audio file, creates a lip-sync and waits for its end.
// Run: node examples/node-script.ts speech.mp3 <video id>; needs `npm ci` in the root and in examples/, and Node 22.18.

import { openAsBlob } from 'node:fs';
import { basename } from 'node:path';
import {
  LipsyncConnectionError,
  makeLipsync,
  serverSentEvents,
  uploadFile,
} from 'lipsync-graphql-client';

const [, , path = '', videoId = ''] = process.argv;
const print = (line: string) => process.stdout.write(`${line}\n`);

const server = {
  url: process.env.LIPSYNC_URL ?? 'http://127.0.0.1:4000/graphql',
  token: process.env.LIPSYNC_TOKEN ?? null,
  transport: serverSentEvents(),
};

async function main(): Promise<number> {
  const file = await openAsBlob(path);
  const audio = await uploadFile(server, file, {
    kind: 'AUDIO',
    contentType: path.endsWith('.wav') ? 'audio/wav' : 'audio/mpeg',
    filename: basename(path),
    onProgress: ({ sentBytes }) => print(`sent ${Math.round((100 * sentBytes) / file.size)} %`),
  });
  if (audio.__typename !== 'UploadReady') return printFailure(audio);

  const input = { video: { videoId }, speech: { uploadId: audio.id } };
  const end = await makeLipsync(server, input, {
    deadlineMs: 30 * 60_000,
    onCreated: ({ id }) => print(`created ${id}`),
    onProgress: ({ sequence, status, percent }) => print(`${sequence} ${status} ${percent} %`),
  });
  switch (end.outcome) {
    case 'COMPLETED':
      print(end.video.url ?? 'The video was deleted in the meantime.');
      return 0;
    case 'FAILED':
    case 'MODERATED':
    case 'REFUSED':
      return printFailure(end.failure);
    case 'STILL_RUNNING':
      return printFailure({
        code: end.outcome,
        message: 'The lip-sync is still running after 30 minutes.',
      });
    case 'CANCELLED':
    case 'EXPIRED':
    case 'FUTURE':
      return printFailure({ code: end.outcome, message: 'No video was made.' });
  }
}

function printFailure({ code, message }: { code: string; message: string }): number {
  process.stderr.write(`${message} [${code}]\n`);
  return 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof LipsyncConnectionError)) throw error;
  process.exitCode = printFailure({ code: 'OFFLINE', message: error.message });
}
