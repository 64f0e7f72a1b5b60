import { createWriteStream } from 'node:fs';
import { access, constants, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, extname, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ALL_FORMATS, FilePathSource, Input } from 'mediabunny';
import { DemoFailure, reasonOf } from './failure.ts';

export type UploadKind = 'AUDIO' | 'VIDEO';

/** By the file name only: the server checks the content. */
const contentTypes: Record<UploadKind, Record<string, string>> = {
  AUDIO: { '.wav': 'audio/wav', '.mp3': 'audio/mpeg' },
  VIDEO: {
    '.mp4': 'video/mp4',
    '.mov': 'video/quicktime',
    '.webm': 'video/webm',
    '.mkv': 'video/x-matroska',
    '.avi': 'video/x-msvideo',
  },
};

export function contentTypeOf(path: string, kind: UploadKind): string {
  const byName = contentTypes[kind][extname(path).toLowerCase()];
  return byName ?? (kind === 'AUDIO' ? 'audio/mpeg' : 'video/mp4');
}

/** Called before the server starts, so that a wrong file name costs nothing. */
export async function checkReadable(path: string): Promise<void> {
  try {
    const file = await open(path);
    const isFile = (await file.stat()).isFile();
    await file.close();
    if (isFile) return;
  } catch (error) {
    throw new DemoFailure(`${path} cannot be read: ${reasonOf(error)}`);
  }
  throw new DemoFailure(`${path} is not a file.`);
}

export async function checkWritable(path: string): Promise<void> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (isFolder) throw new DemoFailure(`${path} is a folder: the result needs a file name.`);
  await access(dirname(resolve(path)), constants.W_OK).catch((error: unknown) => {
    throw new DemoFailure(`The result cannot be written there: ${reasonOf(error)}`);
  });
}

/** Writes to a temporary file first, so that a broken download leaves no partial video under the final name. */
export async function download(url: string, path: string, signal: AbortSignal): Promise<void> {
  const part = `${path}.part`;
  try {
    const response = await fetch(url, { signal });
    if (!response.ok || response.body === null) throw new Error(`HTTP ${response.status}`);
    await pipeline(response.body, createWriteStream(part), { signal });
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true });
    signal.throwIfAborted();
    throw new DemoFailure(`The video is finished, but could not be downloaded: ${reasonOf(error)}`);
  }
}

export async function measure(path: string): Promise<{ bytes: number; seconds: number }> {
  const input = new Input({ source: new FilePathSource(path), formats: ALL_FORMATS });
  try {
    return { bytes: (await stat(path)).size, seconds: await input.computeDuration() };
  } catch (error) {
    throw new DemoFailure(`${path} is not a readable video: ${reasonOf(error)}`);
  } finally {
    input.dispose();
  }
}
