import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { MEDIA_DIR } from '../storage/library.ts';
import { uploadTypes } from '../storage/uploads.ts';
import type { World } from '../state.ts';

const contentTypes = new Map([
  ...[...uploadTypes].map(([type, extension]): [string, string] => [extension, type]),
  ['wav', 'audio/wav'] as [string, string],
  ['ts', 'video/MP2T'] as [string, string],
]);

/** Browsers of any origin may play what lies here; nothing else on this port says so. */
const openToAll = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'GET, HEAD',
  'access-control-allow-headers': 'range',
  'access-control-expose-headers': 'content-length, content-range, accept-ranges',
  'cross-origin-resource-policy': 'cross-origin',
  'x-content-type-options': 'nosniff',
};

/** Serves `/media/…`, `/uploads/…` and `/results/…`. False when the path is none of them. */
export async function serveMedia(
  exchange: { request: IncomingMessage; response: ServerResponse },
  pathname: string,
  world: World,
): Promise<boolean> {
  const [, shelf = '', ...rest] = pathname.split('/');
  if (!['media', 'uploads', 'results'].includes(shelf)) return false;
  const { request, response } = exchange;
  if (request.method === 'OPTIONS') {
    response.writeHead(204, openToAll).end();
    return true;
  }
  const path = locate(shelf, rest.join('/'), world);
  const size = path ? await sizeOf(path) : null;
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  if (!(path && size !== null && isRead)) {
    response.writeHead(isRead ? 404 : 405, openToAll).end();
    return true;
  }
  await sendFile(exchange, path, size);
  return true;
}

/** Names only of letters, digits, dots and dashes, so no path leads out of the folder. */
function locate(shelf: string, name: string, world: World): string | null {
  if (!/^(voices\/)?[a-z0-9-]+\.[a-z0-9]+$/.test(name)) return null;
  if (shelf === 'media') return join(MEDIA_DIR, name);
  if (shelf === 'uploads') return world.uploads.has(name) ? join(world.uploads.folder, name) : null;
  const file = world.jobs.findByNumber(name.replace(/\.mp4$/, ''))?.result?.file;
  return file ? join(world.results.folder, file) : null;
}

async function sizeOf(path: string): Promise<number | null> {
  const found = await stat(path).catch(() => null);
  return found?.isFile() ? found.size : null;
}

async function sendFile(
  { request, response }: { request: IncomingMessage; response: ServerResponse },
  path: string,
  size: number,
) {
  const range = readRange(request.headers.range, size);
  const type = contentTypes.get(path.split('.').at(-1) ?? '') ?? 'application/octet-stream';
  const headers = { ...openToAll, 'content-type': type, 'accept-ranges': 'bytes' };
  if (range === 'unsatisfiable') {
    response.writeHead(416, { ...headers, 'content-range': `bytes */${size}` }).end();
    return;
  }
  const { start, end } = range ?? { start: 0, end: size - 1 };
  response.writeHead(range ? 206 : 200, {
    ...headers,
    'content-length': String(end - start + 1),
    ...(range ? { 'content-range': `bytes ${start}-${end}/${size}` } : {}),
  });
  if (request.method === 'HEAD' || size === 0) {
    response.end();
    return;
  }
  // A browser that seeks leaves in the middle; that is no error.
  await pipeline(createReadStream(path, { start, end }), response).catch(() => undefined);
}

/** One range, as players ask; several at once are answered with the whole file, which is allowed. */
function readRange(header: string | undefined, size: number) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  const [, from = '', to = ''] = match ?? [];
  if (!(from || to)) return null;
  const start = from ? Number(from) : Math.max(0, size - Number(to));
  const end = from && to ? Math.min(Number(to), size - 1) : size - 1;
  return start > end || start >= size ? 'unsatisfiable' : { start, end };
}
