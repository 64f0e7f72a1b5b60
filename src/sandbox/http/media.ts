import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createStreamBody } from '@hono/node-server/utils/stream';
import { Hono } from 'hono';
import type { SandboxState } from '../state.ts';
import { MEDIA_DIR } from '../storage/library.ts';
import { uploadTypes } from '../storage/uploads.ts';
import type { SandboxContext, SandboxEnv } from './context.ts';

const contentTypes = new Map([
  ...[...uploadTypes].map(([type, extension]): [string, string] => [extension, type]),
  ['wav', 'audio/wav'] as [string, string],
  ['ts', 'video/MP2T'] as [string, string],
]);

/** Pages of any origin may play these files. No other response of this port allows that. */
const corsHeaders = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'GET, HEAD',
  'access-control-allow-headers': 'range',
  'access-control-expose-headers': 'content-length, content-range, accept-ranges',
  'cross-origin-resource-policy': 'cross-origin',
  'x-content-type-options': 'nosniff',
};

const path = '/:folder{media|uploads|results}/*';

/** Source videos and voices, uploads, and finished videos. Without a token, as on the upstream's media host. */
export const mediaRoutes = new Hono<SandboxEnv>()
  .get(path, sendFile)
  .options(path, () => emptyResponse(204))
  .all(path, () => emptyResponse(405));

async function sendFile(c: SandboxContext): Promise<Response> {
  const [, folder = '', ...rest] = c.req.path.split('/');
  const file = locate(folder, rest.join('/'), c.env.state);
  const size = file ? await sizeOf(file) : null;
  if (!file || size === null) return emptyResponse(404);
  const type = contentTypes.get(file.split('.').at(-1) ?? '') ?? 'application/octet-stream';
  const headers = { 'content-type': type, 'accept-ranges': 'bytes' };
  const range = readRange(c.req.header('range'), size);
  if (range === 'unsatisfiable') {
    return emptyResponse(416, { ...headers, 'content-range': `bytes */${size}` });
  }
  const { start, end } = range ?? { start: 0, end: size - 1 };
  const isBodiless = c.req.method === 'HEAD' || size === 0;
  const body = isBodiless ? null : createStreamBody(createReadStream(file, { start, end }));
  return new Response(body, {
    status: range ? 206 : 200,
    headers: {
      ...corsHeaders,
      ...headers,
      'content-length': String(end - start + 1),
      ...(range ? { 'content-range': `bytes ${start}-${end}/${size}` } : {}),
    },
  });
}

function emptyResponse(status: number, headers: Record<string, string> = {}): Response {
  return new Response(null, { status, headers: { ...corsHeaders, ...headers } });
}

/** Names have only letters, digits, dots and dashes, so that no path leads out of its folder. */
function locate(folder: string, name: string, state: SandboxState): string | null {
  if (!/^(voices\/)?[a-z0-9-]+\.[a-z0-9]+$/.test(name)) return null;
  if (folder === 'media') return join(MEDIA_DIR, name);
  if (folder === 'uploads') {
    return state.uploads.has(name) ? join(state.uploads.folder, name) : null;
  }
  const file = state.jobs.findByNumber(name.replace(/\.mp4$/, ''))?.result?.file;
  return file ? join(state.results.folder, file) : null;
}

async function sizeOf(file: string): Promise<number | null> {
  const found = await stat(file).catch(() => null);
  return found?.isFile() ? found.size : null;
}

/** One range, as players ask for. Several ranges are answered with the whole file, which is allowed. */
function readRange(header: string | undefined, size: number) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  const [, from = '', to = ''] = match ?? [];
  if (!(from || to)) return null;
  const start = from ? Number(from) : Math.max(0, size - Number(to));
  const end = from && to ? Math.min(Number(to), size - 1) : size - 1;
  return start > end || start >= size ? 'unsatisfiable' : { start, end };
}
