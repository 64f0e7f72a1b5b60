import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { ApiError } from '../api-error.ts';
import type { FileStore } from './file-store.ts';
import { publishFile } from './json-files.ts';

/** The documented content types in lower case, each with the extension of its files. */
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

/** Documented as "Up to 5 GB". */
const MAX_UPLOAD_BYTES = 5 * 1024 ** 3;

export type Upload = { name: string; bytes: number };

/** Streams a request's body into the store. The file gets its name only when it is complete and durable. */
export async function receiveUpload(
  request: IncomingMessage,
  uploads: FileStore,
  options: { extension: string; bytesPerSecond: number | undefined },
): Promise<Upload> {
  const name = `${randomUUID()}.${options.extension}`;
  const path = join(uploads.folder, name);
  const meter = createMeter(options.bytesPerSecond);
  try {
    await pipeline(request, meter.stream, createWriteStream(`${path}.part`));
    if (meter.bytes() === 0) throw new ApiError(400, 'The request body is empty.');
    await publishFile(`${path}.part`, path);
    await uploads.add(name);
    return { name, bytes: meter.bytes() };
  } catch (error) {
    await rm(`${path}.part`, { force: true });
    throw error;
  }
}

/** Counts the bytes, rejects too many of them, and can slow the stream down. */
function createMeter(bytesPerSecond: number | undefined) {
  let bytes = 0;
  const closed = new AbortController();
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > MAX_UPLOAD_BYTES) return done(new ApiError(400, 'The file is larger than 5 GB.'));
      if (!bytesPerSecond) return done(null, chunk);
      wait((chunk.length / bytesPerSecond) * 1000, undefined, { signal: closed.signal }).then(
        () => done(null, chunk),
        // The stream was destroyed; the pipeline rejects with the reason.
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
