import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, vi } from 'vitest';
import { type Sandbox, type SandboxOptions, startSandbox } from '../../src/sandbox/sandbox.ts';
import { wavHeader } from '../support/wav.ts';

export type Json = Record<string, unknown>;
export type Reply = { status: number; text: string; json: Json; headers: Headers };

export const STUDIO = 'studio@sandbox.example';
export const BACKLOT = 'backlot@sandbox.example';
export const QUICK = { queuedMs: 20, generatingMs: 60 };

/** A sandbox for one test. It and its folder are removed after the test. */
export async function openSandbox(options: Partial<SandboxOptions> = {}): Promise<Sandbox> {
  const sandbox = await startSandbox({ dataDir: await temporaryFolder(), ...QUICK, ...options });
  onTestFinished(() => sandbox.close());
  return sandbox;
}

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sandbox-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A request to the API with the token; `body` is sent as JSON unless it is bytes or a form. */
export async function ask(
  sandbox: Pick<Sandbox, 'baseUrl' | 'token'>,
  target: string,
  init: { body?: unknown; headers?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<Reply> {
  const [method = 'GET', path = ''] = target.split(' ');
  return request(`${sandbox.baseUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${sandbox.token}`, ...init.headers },
    ...(init.signal ? { signal: init.signal } : {}),
    ...(init.body === undefined ? {} : { body: init.body }),
  });
}

/** A request to `/_sandbox`. */
export function control(sandbox: Sandbox, target: string, body?: unknown): Promise<Reply> {
  const [method = 'GET', path = ''] = target.split(' ');
  const url = `${sandbox.origin}/_sandbox${path}`;
  return request(url, { method, ...(body === undefined ? {} : { body }) });
}

async function request(
  url: string,
  init: { method: string; headers?: Record<string, string>; body?: unknown; signal?: AbortSignal },
): Promise<Reply> {
  const { body, headers = {}, ...rest } = init;
  const isRaw = body instanceof Uint8Array || body instanceof FormData;
  const response = await fetch(url, {
    ...rest,
    headers:
      body === undefined || isRaw ? headers : { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: isRaw ? (body as BodyInit) : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, text, json: parse(text), headers: response.headers };
}

function parse(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return {};
  }
}

export async function listVideos(sandbox: Sandbox, email = STUDIO): Promise<Json[]> {
  const { json } = await ask(sandbox, `GET /videos/?email=${encodeURIComponent(email)}`);
  return json.data as Json[];
}

/** The id of a finished video that the account has from the start. */
export async function sourceId(sandbox: Sandbox, email = STUDIO): Promise<string> {
  const videos = await listVideos(sandbox, email);
  return String(videos.find((video) => String(video.url).includes('/media/'))?.video_id);
}

export async function lipsync(sandbox: Sandbox, fields: Json = {}): Promise<Reply> {
  const video = fields.video_id || fields.video_path ? {} : { video_id: await sourceId(sandbox) };
  const text = fields.audio_path ? {} : { prompt: 'Good evening.' };
  return ask(sandbox, 'POST /videos/lipsync', { body: { ...video, ...text, ...fields } });
}

/** Waits until the video has a final status. */
export async function finalItem(sandbox: Sandbox, id: unknown): Promise<Json> {
  return vi.waitFor(
    async () => {
      const reply = await ask(sandbox, `GET /videos/${id}`);
      expect(reply.status).toBe(200);
      expect(['COMPLETED', 'FAILED', 'MODERATED']).toContain(reply.json.video_status_name);
      return reply.json;
    },
    { timeout: 60_000, interval: 20 },
  );
}

export type ShownJob = {
  video_id: string;
  status: string;
  replyRef?: string;
  isTracked: boolean;
  isAnnounced: boolean;
  spoken: string;
  reason?: string;
};

export async function jobs(sandbox: Sandbox): Promise<ShownJob[]> {
  return (await control(sandbox, 'GET /jobs')).json.jobs as ShownJob[];
}

export async function upload(
  sandbox: Sandbox,
  bytes: Uint8Array,
  type = 'audio/mpeg',
): Promise<string> {
  const query = `?email=${encodeURIComponent(STUDIO)}`;
  const headers = { 'content-type': type };
  const { json } = await ask(sandbox, `POST /files${query}`, { body: bytes, headers });
  return String(json.path);
}

export type Receiver = { url: string; bodies: Json[]; requests: IncomingMessage[] };

/** A server that receives callbacks and keeps their bodies. */
export async function openReceiver(): Promise<Receiver> {
  const bodies: Json[] = [];
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk) => {
      text += chunk;
    });
    request.on('end', () => {
      bodies.push(parse(text));
      requests.push(request);
      response.end('ok');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/callback`, bodies, requests };
}

/** A sine of 440 Hz as a 16-bit mono WAV file. */
export function makeWav(seconds: number, sampleRate = 44_100): Uint8Array {
  const frames = Math.round(seconds * sampleRate);
  const header = wavHeader(frames * 2, { sampleRate });
  const wav = Buffer.concat([header, Buffer.alloc(frames * 2)]);
  for (let at = 0; at < frames; at++) {
    wav.writeInt16LE(
      Math.round(9000 * Math.sin((at * 2 * Math.PI * 440) / sampleRate)),
      44 + at * 2,
    );
  }
  return new Uint8Array(wav);
}
