import { createHash } from 'node:crypto';
import { basename, resolve } from 'node:path';
import { LipsyncConnectionError, LipsyncRequestError, webSocket } from 'lipsync-graphql-client';
import { type DemoArguments, help, parseArguments } from './demo/arguments.ts';
import { DemoFailure, Interrupted, reasonOf } from './demo/failure.ts';
import { checkReadable, checkWritable, download, measure } from './demo/files.ts';
import {
  formatBytes,
  formatSeconds,
  openProgress,
  print,
  printFailure,
  printStep,
} from './demo/screen.ts';
import { type DemoServer, isLive, startServer } from './demo/server.ts';
import {
  type Client,
  create,
  findNewestVideo,
  type Source,
  upload,
  waitForVideo,
} from './demo/steps.ts';

/** `npm run demo`: the whole job over HTTP and WebSocket, as any client does it. */
async function main(): Promise<number> {
  const parsed = parseArguments(process.argv.slice(2));
  if (parsed.kind === 'help') {
    print(help);
    return 0;
  }
  if (parsed.kind === 'invalid') {
    printFailure(`${parsed.problem}. See --help.`);
    return 2;
  }
  const interruption = interruptOnSignals();
  try {
    await runDemo(parsed.given, interruption);
    return 0;
  } catch (error) {
    return explain(error);
  }
}

function interruptOnSignals(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => controller.abort(new Interrupted()));
  }
  return controller.signal;
}

/** Prints the failure and returns the exit code. An unexpected error is thrown, with its stack. */
function explain(error: unknown): number {
  if (error instanceof Interrupted) {
    printFailure(
      isLive ? 'Stopped. A submitted lip-sync continues upstream and is charged.' : 'Stopped.',
    );
    return 130;
  }
  if (error instanceof LipsyncConnectionError || error instanceof LipsyncRequestError) {
    const reason = error.cause === undefined ? '' : ` (${reasonOf(error.cause)})`;
    printFailure(error.message + reason);
    return 1;
  }
  if (!(error instanceof DemoFailure)) throw error;
  printFailure(error.message);
  return 1;
}

async function runDemo(given: DemoArguments, interruption: AbortSignal): Promise<void> {
  const { audio, video, out } = given;
  for (const path of [audio, ...(video === null ? [] : [video])]) await checkReadable(path);
  await checkWritable(out ?? 'lipsync.mp4');
  if (isLive) print('USEAPI_TOKEN is set: this runs live, and the lip-sync will cost credits.');

  const server = await startServer(interruption);
  try {
    printServer(server);
    const { url, token, unexpectedEnd } = server;
    await makeVideo(given, {
      server: { url: `${url}/graphql`, token, transport: webSocket() },
      signal: AbortSignal.any([interruption, unexpectedEnd]),
    });
  } finally {
    await server.stop();
  }
}

function printServer({ url, isTemporary }: DemoServer): void {
  const mode = isLive ? 'live' : 'sandbox';
  const data = isTemporary ? 'a temporary database' : 'the database of DATA_DIR';
  printStep('Server', `${url}/graphql, ${mode}, with ${data}`);
}

async function makeVideo(given: DemoArguments, client: Client): Promise<void> {
  const { audio, out } = given;
  const sound = await upload(client, { path: audio, kind: 'AUDIO' });
  const length = formatSeconds(sound.seconds);
  printStep('Audio', `${basename(audio)}, ${formatBytes(sound.bytes)}, ${length}`);

  const video = await chooseVideo(given, client);
  const { lipsync, warning } = await create(client, { video, uploadId: sound.id });
  printStep('Lip-sync', warning ?? `${lipsync.id}, ${lipsync.status}`);

  const display = openProgress();
  const resultUrl = await waitForVideo(client, lipsync.id, display.show).finally(display.close);

  const path = resolve(out ?? `lipsync-${shorten(lipsync.id)}.mp4`);
  await download(resultUrl, path, client.signal);
  const result = await measure(path);
  printStep('Result', `${path}, ${formatBytes(result.bytes)}, ${formatSeconds(result.seconds)}`);
}

async function chooseVideo({ video }: DemoArguments, client: Client): Promise<Source> {
  if (video === null) {
    const { id, prompt, width, height, durationSeconds } = await findNewestVideo(client);
    const size = `${width ?? '?'} × ${height ?? '?'}, ${formatSeconds(durationSeconds)}`;
    printStep('Video', `“${prompt ?? 'without a prompt'}”, ${size}`);
    return { videoId: id };
  }
  const picture = await upload(client, { path: video, kind: 'VIDEO' });
  const length = formatSeconds(picture.seconds);
  printStep('Video', `${basename(video)}, ${formatBytes(picture.bytes)}, ${length}`);
  return { uploadId: picture.id };
}

/** Ids are long and begin alike, so a file name gets a hash. */
function shorten(id: string): string {
  return createHash('sha256').update(id).digest('hex').slice(0, 8);
}

process.exitCode = await main();
