import { createHash } from 'node:crypto';
import { basename, resolve } from 'node:path';
import { type DemoArguments, help, readArguments } from './demo/arguments.ts';
import { type Client, connect } from './demo/client.ts';
import { DemoFailure, Interrupted } from './demo/failure.ts';
import { checkReadable, checkWritable, download, measure } from './demo/files.ts';
import { bytes, openProgress, seconds, tell, tellFailure, tellStep } from './demo/screen.ts';
import { type DemoServer, isLive, startServer } from './demo/server.ts';
import { create, findNewestVideo, follow, type Source, upload } from './demo/steps.ts';

/** `npm run demo`: the whole job, done over HTTP and WebSocket as any stranger would do it. */
async function main(): Promise<number> {
  const reading = readArguments(process.argv.slice(2));
  if (reading.kind === 'help') {
    tell(help);
    return 0;
  }
  if (reading.kind === 'wrong') {
    tellFailure(`${reading.problem}. See --help.`);
    return 2;
  }
  const interruption = interruptOnSignals();
  try {
    await runDemo(reading.given, interruption);
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

function explain(error: unknown): number {
  if (error instanceof Interrupted) {
    tellFailure(
      isLive ? 'Stopped. What was submitted goes on upstream and is charged.' : 'Stopped.',
    );
    return 130;
  }
  if (!(error instanceof DemoFailure)) throw error;
  tellFailure(error.message);
  return 1;
}

async function runDemo(given: DemoArguments, interruption: AbortSignal): Promise<void> {
  const { audio, video, out } = given;
  for (const path of [audio, ...(video === null ? [] : [video])]) await checkReadable(path);
  await checkWritable(out ?? 'lipsync.mp4');
  if (isLive) tell('USEAPI_TOKEN is set: this runs live, and the lip-sync will cost credits.');

  const server = await startServer(interruption);
  try {
    const signal = AbortSignal.any([interruption, server.lost]);
    tellServer(server);
    await makeVideo(given, connect(server, signal), signal);
  } finally {
    await server.stop();
  }
}

function tellServer({ url, isTemporary }: DemoServer): void {
  const mode = isLive ? 'live' : 'sandbox';
  const data = isTemporary ? 'a temporary database' : 'the database of DATA_DIR';
  tellStep('Server', `${url}/graphql, ${mode}, with ${data}`);
}

async function makeVideo(given: DemoArguments, client: Client, signal: AbortSignal): Promise<void> {
  const { audio, out } = given;
  const sound = await upload(client, { path: audio, kind: 'AUDIO' }, signal);
  tellStep('Audio', `${basename(audio)}, ${bytes(sound.bytes)}, ${seconds(sound.seconds)}`);

  const video = await chooseVideo(given, client, signal);
  const { lipsync, message } = await create(client, { video, audioUploadId: sound.id });
  tellStep('Lip-sync', message ?? `${lipsync.id}, ${lipsync.status}`);

  const display = openProgress();
  const resultUrl = await follow(client, lipsync.id, display.show).finally(display.close);

  const path = resolve(out ?? `lipsync-${shorten(lipsync.id)}.mp4`);
  await download(resultUrl, path, signal);
  const result = await measure(path);
  tellStep('Result', `${path}, ${bytes(result.bytes)}, ${seconds(result.seconds)}`);
}

async function chooseVideo(
  { video }: DemoArguments,
  client: Client,
  signal: AbortSignal,
): Promise<Source> {
  if (video === null) {
    const { id, prompt, width, height, durationSeconds } = await findNewestVideo(client);
    const size = `${width ?? '?'} × ${height ?? '?'}, ${seconds(durationSeconds)}`;
    tellStep('Video', `“${prompt ?? 'without a prompt'}”, ${size}`);
    return { id };
  }
  const picture = await upload(client, { path: video, kind: 'VIDEO' }, signal);
  tellStep('Video', `${basename(video)}, ${bytes(picture.bytes)}, ${seconds(picture.seconds)}`);
  return { uploadId: picture.id };
}

/** Ids are long, and alike at their beginning. */
function shorten(id: string): string {
  return createHash('sha256').update(id).digest('hex').slice(0, 8);
}

process.exitCode = await main();
