/**
 * Measures the memory that forwarding a large file takes: the program in live mode, between a client that sends as fast as
 * possible and an upstream that reads slowly. Both are in this process; the program is a child process whose resident memory
 * is read from /proc, so this needs Linux. For comparison it also measures a plain pipe and an endpoint that buffers the
 * whole file. Exits with 1 if the program's memory grows by `maxAddedMb` or more.
 *
 *     node bench/upload.ts [--size 1024] [--rate 150]      megabytes, and megabytes per second
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { readUrl } from './read-url.ts';

/** The promised maximum for a file of 1 GB. */
const maxAddedMb = 64;
const megabyte = 1024 ** 2;
const sampleMs = 25;
const points = 12;
const root = join(import.meta.dirname, '..');

const { values } = parseArgs({
  options: { size: { type: 'string', default: '1024' }, rate: { type: 'string', default: '150' } },
});
// 5 GB is the program's upload limit, and more than most machines can buffer for the comparison.
const size = Math.min(5 * 1024, Math.max(1, Number(values.size))) * megabyte;
const rate = Number(values.rate) * megabyte;

const upstream = await openSlowUpstream();
const folder = await mkdtemp(join(tmpdir(), 'lipsync-bench-'));
try {
  await compare();
} finally {
  upstream.server.closeAllConnections();
  upstream.server.close();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}

async function compare(): Promise<void> {
  write(`${size / megabyte} MB to an upstream that reads ${rate / megabyte} MB/s, memory in MB`);
  const product = await measure('lipsync-graphql', ['--liftoff-only', 'src/main.ts'], createUpload);
  const peer = 'bench/upload/forward.ts';
  const piped = await measure('a plain pipe', [peer, 'pipe', upstream.url], (url) => url);
  const whole = await measure('whole file first', [peer, 'buffer', upstream.url], (url) => url);
  write(`ratio to a plain pipe ${(product / piped).toFixed(2)}`);
  write(`ratio to the whole file first ${(product / whole).toFixed(2)}`);
  write(`added ${product.toFixed(0)} MB, less than ${maxAddedMb} promised`);
  if (product >= maxAddedMb) process.exitCode = 1;
}

/** @returns the peak minus the resident memory before it, in MB */
async function measure(
  name: string,
  script: string[],
  addressOf: (url: string) => string | Promise<string>,
): Promise<number> {
  const child = start(script);
  const exited = once(child, 'exit');
  try {
    const url = await readUrl(child);
    // The first upload loads and compiles code, which does not count.
    await put(await addressOf(url), megabyte);
    const before = await readMemory(child);
    await resetPeak(child);
    const address = await addressOf(url);
    const took = upstream.taken;
    const done = new AbortController();
    const curve = sample(child, done.signal, () => upstream.taken - took);
    const startedAt = performance.now();
    await put(address, size);
    const seconds = (performance.now() - startedAt) / 1000;
    done.abort();
    const samples = await curve;
    const peak = Math.max((await readMemory(child)).peak, ...samples.map(({ mb }) => mb));
    write(`\n${name}: ${before.resident} before, peak ${peak}, ${seconds.toFixed(1)} s`);
    write(`  ${describe(samples)}`);
    return peak - before.resident;
  } finally {
    child.kill('SIGTERM');
    await exited;
  }
}

function start(script: string[]): ChildProcess {
  return spawn(process.execPath, script, {
    cwd: root,
    env: {
      PATH: process.env.PATH,
      PORT: '0',
      DATA_DIR: join(folder, 'data'),
      USEAPI_TOKEN: 'user:1-bench',
      USEAPI_BASE_URL: upstream.url,
      ALLOW_ANONYMOUS: 'true',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

async function createUpload(url: string): Promise<string> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      query:
        'mutation { createUpload(input: { kind: AUDIO, contentType: "audio/wav" }) { ... on CreateUploadSuccess { uploadUrl } } }',
    }),
  });
  const { data } = (await response.json()) as { data: { createUpload: { uploadUrl: string } } };
  return data.createUpload.uploadUrl;
}

async function put(url: string, bytes: number): Promise<void> {
  const request = send(url, { method: 'PUT', headers: { 'content-length': bytes } });
  const answered = once(request, 'response') as Promise<[IncomingMessage]>;
  const sent = pipeline(sound(bytes), request);
  const [response] = await answered;
  const answer = await text(response);
  if (response.statusCode !== 200) throw new Error(`The upload was refused: ${answer}`);
  await sent;
}

/** A WAV stream of that many bytes, generated while it is sent. */
async function* sound(bytes: number): AsyncGenerator<Uint8Array> {
  const head = Buffer.alloc(44);
  head.write('RIFF', 0).toString();
  head.writeUInt32LE((bytes - 8) % 2 ** 32, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(8_000, 24);
  head.writeUInt32LE(16_000, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36);
  head.writeUInt32LE((bytes - 44) % 2 ** 32, 40);
  yield head;
  const piece = Buffer.alloc(64 * 1024);
  for (let left = bytes - 44; left > 0; left -= piece.byteLength) {
    yield piece.subarray(0, Math.min(left, piece.byteLength));
  }
}

/** An upstream with one account that reads files at `rate`. */
async function openSlowUpstream() {
  const state = { taken: 0 };
  const server = createServer({ requestTimeout: 0 }, async (request, response) => {
    if (request.method === 'POST') {
      const startedAt = performance.now();
      let bytes = 0;
      for await (const chunk of request as AsyncIterable<Buffer>) {
        bytes += chunk.byteLength;
        state.taken += chunk.byteLength;
        const early = (bytes / rate) * 1000 - (performance.now() - startedAt);
        if (early > 1) await wait(early);
      }
      response.end(JSON.stringify({ path: 'upload/bench.wav' }));
    } else if (request.url?.endsWith('/accounts')) {
      response.end(
        JSON.stringify({ 'bench@example.com': { email: 'bench@example.com', maxJobs: 1 } }),
      );
    } else {
      response.writeHead(404).end('{}');
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    server,
    url: `http://127.0.0.1:${port}`,
    /** The bytes received so far, over all files. */
    get taken() {
      return state.taken;
    },
  };
}

type Sample = { taken: number; mb: number };

async function sample(
  child: ChildProcess,
  until: AbortSignal,
  taken: () => number,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  while (!until.aborted) {
    samples.push({ taken: taken(), mb: (await readMemory(child)).resident });
    await wait(sampleMs);
  }
  return samples;
}

/** The peak memory for each part of the file. */
function describe(samples: readonly Sample[]): string {
  return Array.from({ length: points }, (_, at) => {
    const [from, to] = [(at * size) / points, ((at + 1) * size) / points];
    const within = samples.filter(({ taken }) => taken >= from && taken < to);
    const mb = Math.max(...within.map((each) => each.mb));
    return `${Math.round((100 * (at + 1)) / points)} %: ${Number.isFinite(mb) ? mb : '…'}`;
  }).join('  ');
}

async function readMemory(child: ChildProcess): Promise<{ resident: number; peak: number }> {
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
  const read = (name: string) => {
    const [, kilobytes] = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status) ?? [];
    return Math.round(Number(kilobytes) / 1024);
  };
  return { resident: read('VmRSS'), peak: read('VmHWM') };
}

/** Resets the kernel's peak value, which also covers the time between our samples. */
async function resetPeak(child: ChildProcess): Promise<void> {
  await writeFile(`/proc/${child.pid}/clear_refs`, '5');
}

function write(line: string): void {
  process.stdout.write(`${line}\n`);
}
