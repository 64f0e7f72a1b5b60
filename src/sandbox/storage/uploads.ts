import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { Refusal } from '../http/responses.ts';
import { syncFolder } from './json-files.ts';
import type { Shelf } from './file-store.ts';

/** The documented content types, in lower case, and the extension each is kept under. */
export const uploadTypes: ReadonlyMap<string, string> = new Map([
  ['image/png', 'png'],
  ['image/jpeg', 'jpg'],
  ['image/gif', 'gif'],
  ['image/webp', 'webp'],
  ['video/mp4', 'mp4'],
  ['video/quicktime', 'mov'],
  ['video/3gpp', '3gp'],
  ['video/x-matroska', 'mkv'],
  ['video/x-flv', 'flv'],
  ['video/mpeg', 'mpeg'],
  ['video/mp2t', 'ts'],
  ['video/x-msvideo', 'avi'],
  ['video/x-motion-jpeg', 'mjpeg'],
  ['video/webm', 'webm'],
  ['video/ogg', 'ogv'],
  ['audio/wav', 'wav'],
  ['audio/wave', 'wav'],
  ['audio/mpeg', 'mp3'],
]);

/** "Up to 5 GB". */
const MAX_UPLOAD_BYTES = 5 * 1024 ** 3;

export type Upload = { name: string; bytes: number };

/** Streams a request's body to the shelf; it has its name only when it is whole and on the disk. */
export async function receiveUpload(
  request: IncomingMessage,
  uploads: Shelf,
  options: { extension: string; bytesPerSecond: number | undefined },
): Promise<Upload> {
  const name = `${randomUUID()}.${options.extension}`;
  const path = join(uploads.folder, name);
  const meter = createMeter(options.bytesPerSecond);
  try {
    await pipeline(request, meter.stream, createWriteStream(`${path}.part`));
    if (meter.bytes() === 0) throw new Refusal(400, 'The request body is empty.');
    const file = await open(`${path}.part`, 'r+');
    await file.sync().finally(() => file.close());
    await rename(`${path}.part`, path);
    await syncFolder(uploads.folder);
    await uploads.placed(name);
    return { name, bytes: meter.bytes() };
  } catch (error) {
    await rm(`${path}.part`, { force: true });
    throw error;
  }
}

/** Counts what passes, refuses too much of it, and can slow it down. */
function createMeter(bytesPerSecond: number | undefined) {
  let bytes = 0;
  const closed = new AbortController();
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > MAX_UPLOAD_BYTES) return done(new Refusal(400, 'The file is larger than 5 GB.'));
      if (!bytesPerSecond) return done(null, chunk);
      wait((chunk.length / bytesPerSecond) * 1000, undefined, { signal: closed.signal }).then(
        () => done(null, chunk),
        // The other end is gone; the pipeline reports it.
        () => done(),
      );
    },
    destroy(error, done) {
      closed.abort();
      done(error);
    },
  });
  return { stream, bytes: () => bytes };
}
