import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { SoundConverter } from '../../../src/audio/sound-converter.ts';
import { uploadTokens } from '../../../src/callbacks/token.ts';
import { createJobs } from '../../../src/database/jobs.ts';
import { createAccountService } from '../../../src/domains/accounts/service.ts';
import {
  createUploadService,
  type NewUpload,
  type UploadService,
} from '../../../src/domains/uploads/service.ts';
import { findUpload } from '../../../src/domains/uploads/store.ts';
import { createOutbound } from '../../../src/outbound/outbound.ts';
import type { OwnerSlotLimits } from '../../../src/owner-slots.ts';
import { type Sandbox, startSandbox } from '../../../src/sandbox/sandbox.ts';
import { createUploadHandler } from '../../../src/server/http/uploads.ts';
import { createUpstream, type Upstream } from '../../../src/upstream/client.ts';
import { Freshness } from '../../../src/upstream/freshness.ts';
import { silentLog, testDatabase } from '../../support/database.ts';
import { wavHeader } from '../../support/wav.ts';

export const secrets = ['a secret of thirty-two characters', 'the secret before it, also long'];

/** The upload slice and its HTTP handler, over real HTTP, with a database and a sandbox of their own. */
export type UploadHarness = Awaited<ReturnType<typeof openUploadHarness>>;

export async function openUploadHarness(
  options: {
    timeoutMs?: number;
    concurrency?: OwnerSlotLimits;
    minRate?: { bytes: number; inMs: number };
    maxWaiting?: number;
    converter?: SoundConverter;
    decodings?: OwnerSlotLimits;
    leaseRenewalMs?: number;
  } = {},
) {
  const timeoutMs = options.timeoutMs ?? 10_000;
  const db = await testDatabase();
  const jobs = createJobs(db, silentLog);
  const dataDir = await mkdtemp(join(tmpdir(), 'lipsync-uploads-'));
  const sandbox = await startSandbox({ dataDir });
  const clock = { now: new Date('2026-11-23T12:00:00Z') };
  const now = () => clock.now;
  const connect = (baseUrl: string) =>
    createUpstream({ baseUrl, token: sandbox.token, timeoutMs, log: silentLog });
  const upstream = connect(sandbox.baseUrl);
  const freshness = new Freshness({ readFreshMs: 0, now, log: silentLog });
  const accounts = createAccountService({ db, upstream, freshness, now, log: silentLog });
  const closers = new Set<() => void>();
  const build = (toUpstream: Upstream, publicUrl: () => string) =>
    createUploadService({
      db,
      jobs,
      outbound: createOutbound({ allowedNetworks: ['127.0.0.1'] }),
      imports: { maxBytes: 5 * 1024 ** 3, timeoutMs: 10_000, retryMs: 10 },
      upstream: toUpstream,
      accounts,
      now,
      log: silentLog,
      publicUrl,
      tokens: uploadTokens(secrets),
      concurrency: options.concurrency,
      minRate: options.minRate,
      maxWaiting: options.maxWaiting,
      converter: options.converter,
      decodings: options.decodings,
      leaseRenewalMs: options.leaseRenewalMs,
    });

  /** A second handler with another upstream, such as one that fails. */
  async function openServer(toUpstream: Upstream) {
    const stopping = new AbortController();
    const uploads: UploadService = build(toUpstream, () => origin);
    const handler = createUploadHandler({ uploads, log: silentLog, stopping: stopping.signal });
    const server = createServer({ requestTimeout: 0 }, (request, response) => {
      void handler(request, response, (request.url ?? '').slice('/uploads/'.length));
    });
    const clients: Socket[] = [];
    server.on('connection', (socket) => clients.push(socket));
    const origin = `http://127.0.0.1:${await listen(server)}`;
    closers.add(() => server.close().closeAllConnections());
    return {
      uploads,
      origin,
      stop: () => stopping.abort(),
      /** The bytes read from all clients, request heads included. */
      bytesRead: () => clients.reduce((sum, { bytesRead }) => sum + bytesRead, 0),
    };
  }

  const main = await openServer(upstream);
  return {
    ...main,
    db,
    jobs,
    clock,
    sandbox,
    upstream,
    connect,
    openServer,
    create: async (input: NewUpload, owner = 'key:ann') => await main.uploads.create(owner, input),
    find: async (id: string, owner = 'key:ann') =>
      (await main.uploads.findByKeys([{ owner, key: id }]))[0],
    switches: async (body: object) => await control(sandbox, 'PUT switches', body),
    /** The file as the upstream got it. */
    async received(id: string): Promise<Buffer<ArrayBuffer>> {
      const upload = await findUpload(db, id);
      const name = upload?.path?.replace(/^upload\//, '') ?? '';
      const response = await fetch(`${sandbox.origin}/uploads/${name}`);
      if (!response.ok)
        throw new Error(`The upstream has no file of the upload: ${response.status}`);
      return Buffer.from(await response.arrayBuffer());
    },
    async sentFiles() {
      const all = (await control(sandbox, 'GET requests')) as SentFile[];
      return all.filter(({ path }) => path.startsWith('/files'));
    },
    async close() {
      for (const close of closers) close();
      await upstream.close();
      await sandbox.close();
      await db.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

export type SentFile = {
  path: string;
  headers: Record<string, string>;
  body?: { bytes: number };
  status?: number | string;
};

async function control(sandbox: Sandbox, call: string, body?: object) {
  const [method = '', name] = call.split(' ');
  const response = await fetch(`${sandbox.origin}/_sandbox/${name}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${call}: ${await response.text()}`);
  return await response.json();
}

export async function listen(server: ReturnType<typeof createServer>): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Reads until the condition holds; otherwise the test's own timeout fails it. */
export async function until<T>(read: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
  for (;;) {
    const value = await read();
    if (holds(value)) return value;
    // PGlite resolves without yielding to the event loop, so sockets would never be read.
    await setImmediate();
  }
}

/** PCM, 16 bits, mono, 8 kHz: 16,000 bytes a second. `dataBytes` is the length in the header. */
export function wavHead(dataBytes: number): Buffer<ArrayBuffer> {
  return wavHeader(dataBytes);
}

export function wav(seconds: number): Buffer<ArrayBuffer> {
  const sound = Buffer.alloc(seconds * 16_000);
  return Buffer.concat([wavHead(sound.byteLength), sound]);
}

/** 24.6 MB a second, so that large files have less than 60 seconds. */
const denseSound = { channels: 32, sampleRate: 192_000, bits: 32 };

function denseWavHead(dataBytes: number): Buffer<ArrayBuffer> {
  const { channels, sampleRate, bits } = denseSound;
  const head = wavHead(dataBytes);
  head.writeUInt16LE(channels, 22);
  head.writeUInt32LE(sampleRate, 24);
  head.writeUInt32LE((sampleRate * channels * bits) / 8, 28);
  head.writeUInt16LE((channels * bits) / 8, 32);
  head.writeUInt16LE(bits, 34);
  return head;
}

/** A WAV of any size, generated while it is read. By default its header is true. */
export async function* endlessWav(
  totalBytes: number,
  claimedBytes = totalBytes,
): AsyncGenerator<Uint8Array> {
  yield denseWavHead(claimedBytes - 44);
  const piece = Buffer.alloc(64 * 1024);
  for (let left = totalBytes - 44; left > 0; left -= piece.byteLength) {
    yield piece.subarray(0, Math.min(left, piece.byteLength));
  }
}

/** A body without a content-length. */
export async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += 5_000) yield bytes.subarray(at, at + 5_000);
}

export type PutAnswer = {
  status: number;
  headers: Headers;
  id?: string;
  code?: string;
  issueCode?: string;
  message?: string;
  durationSeconds?: number | null;
};

export async function put(
  url: string,
  body: Uint8Array | AsyncIterable<Uint8Array>,
  headers: Record<string, string> = {},
): Promise<PutAnswer> {
  const init = { method: 'PUT', body, headers, duplex: 'half' } as unknown as RequestInit;
  const response = await fetch(url, init);
  const answer = (await response.json()) as object;
  // The `status` of the body is the upload's.
  return { ...answer, status: response.status, headers: response.headers };
}
