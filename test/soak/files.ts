import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { wavHeader } from '../support/wav.ts';

type Sound = { bytes: Uint8Array<ArrayBuffer>; contentType: string };

/** Half a second, as the video service takes it. */
export const wav: Sound = {
  bytes: new Uint8Array(Buffer.concat([wavHeader(8_000), Buffer.alloc(8_000)])),
  contentType: 'audio/wav',
};

const folder = join(import.meta.dirname, '../domains/uploads/sounds');

/** What phones, messengers and browsers record: the server decodes them. */
export const decodedSounds: readonly Sound[] = await Promise.all(
  [
    ['opus.ogg', 'audio/ogg'],
    ['voicememo.m4a', 'audio/mp4'],
    ['recorder.webm', 'audio/webm'],
    ['sound.flac', 'audio/flac'],
    ['pcm.aiff', 'audio/aiff'],
  ].map(async ([name = '', contentType = '']) => ({
    bytes: new Uint8Array(await readFile(join(folder, name))),
    contentType,
  })),
);

export const pick = <Item>(items: readonly Item[], number: number): Item => {
  const item = items[number % items.length];
  if (item === undefined) throw new Error('There is nothing to pick from.');
  return item;
};

/** Pauses between the bytes of a slow file, in milliseconds: it arrives within about a second. */
const slowPauseMs = 250;

/**
 * The server on the internet from which files are imported. The path says how it behaves: `/import/…` sends the file,
 * `/decoded import/…` one to be decoded, `/slow import/…` one in pieces. `/cut import/…` breaks the first connection,
 * `/missing import/…` has no file, and `/unreadable import/…` a text.
 */
export async function openFileHost() {
  const requested = new Set<string>();
  const server = createServer((request, response) => {
    response.on('error', () => undefined);
    const path = decodeURI(request.url ?? '');
    const [, behaviour = '', number = '0'] = path.split('/');
    const isFirst = !requested.has(path);
    requested.add(path);
    const handler = handlers[behaviour] ?? handlers.import;
    handler?.(response, { isFirst, number: Number(number) });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    urlOf: (behaviour: string, number: number) =>
      encodeURI(`http://127.0.0.1:${port}/${behaviour}/${number}`),
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

export type FileHost = Awaited<ReturnType<typeof openFileHost>>;

type Handler = (response: ServerResponse, of: { isFirst: boolean; number: number }) => void;

const handlers: Record<string, Handler> = {
  import: (response) => send(response, wav),
  'decoded import': (response, { number }) => send(response, pick(decodedSounds, number)),
  'slow import': (response) => sendSlowly(response),
  'cut import': (response, { isFirst }) => (isFirst ? sendHalf(response) : send(response, wav)),
  'missing import': (response) => response.writeHead(404).end(),
  'unreadable import': (response) => response.end('<p>Please sign in.</p>'),
};

function send(response: ServerResponse, { bytes, contentType }: Sound): void {
  response.writeHead(200, { 'content-type': contentType, 'content-length': bytes.byteLength });
  response.end(bytes);
}

function sendHalf(response: ServerResponse): void {
  response.writeHead(200, { 'content-length': wav.bytes.byteLength });
  response.write(wav.bytes.subarray(0, wav.bytes.byteLength / 2), () => response.destroy());
}

function sendSlowly(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': wav.contentType });
  const size = Math.ceil(wav.bytes.byteLength / 4);
  const sendFrom = (from: number) => {
    if (response.destroyed) return;
    response.write(wav.bytes.subarray(from, from + size));
    if (from + size >= wav.bytes.byteLength) response.end();
    else setTimeout(sendFrom, slowPauseMs, from + size);
  };
  sendFrom(0);
}
