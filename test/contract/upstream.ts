import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect } from 'vitest';
import { startSandbox } from '../../src/sandbox/sandbox.ts';

/*
 * Checks an implementation of the upstream against the documentation, and against nothing more: fields and behaviour that
 * are optional or unknown there are not required here. It runs against the sandbox, or against the upstream of
 * CONTRACT_UPSTREAM_URL (with /v2/pixverse) and CONTRACT_UPSTREAM_TOKEN. That one is charged no credits without
 * CONTRACT_UPSTREAM_SPEND=true; its accounts are never changed, and videos made by the test are deleted.
 */
const { CONTRACT_UPSTREAM_URL, CONTRACT_UPSTREAM_TOKEN, CONTRACT_UPSTREAM_SPEND } = env;
export const isLive = CONTRACT_UPSTREAM_URL !== undefined;
export const mustNotSpend = isLive && CONTRACT_UPSTREAM_SPEND !== 'true';
export const untilFinal = isLive
  ? { timeout: 900_000, interval: 10_000 }
  : { timeout: 60_000, interval: 50 };

export type Item = Record<string, unknown>;
type Reply = { status: number; text: string; type: string };

const speech = fileURLToPath(new URL('../../src/sandbox/media/voices/1.mp3', import.meta.url));

let baseUrl = CONTRACT_UPSTREAM_URL ?? '';
let token = CONTRACT_UPSTREAM_TOKEN ?? '';
export let email = '';
let stop = async () => {};

beforeAll(async () => {
  if (!isLive) {
    const dataDir = await mkdtemp(join(tmpdir(), 'contract-'));
    const sandbox = await startSandbox({ dataDir, queuedMs: 700, generatingMs: 300 });
    ({ baseUrl, token } = sandbox);
    stop = async () => {
      await sandbox.close();
      await rm(dataDir, { recursive: true, force: true });
    };
  }
  [email = ''] = Object.keys(read(await ask('GET /accounts/')));
});

afterAll(() => stop());

export async function ask(
  target: string,
  init: { body?: BodyInit; type?: string; token?: string } = {},
): Promise<Reply> {
  const [method = 'GET', path = ''] = target.split(' ');
  const response = await fetch(`${baseUrl}${path}`, {
    method,
    redirect: 'error',
    headers: {
      authorization: `Bearer ${init.token ?? token}`,
      ...(init.type ? { 'content-type': init.type } : {}),
    },
    ...(init.body === undefined ? {} : { body: init.body }),
  });
  const type = response.headers.get('content-type') ?? '';
  return { status: response.status, text: await response.text(), type };
}

export const post = (path: string, fields: object) =>
  ask(`POST ${path}`, { body: JSON.stringify(fields), type: 'application/json' });

export const read = (reply: Reply): Item => JSON.parse(reply.text) as Item;

export async function list(query = ''): Promise<Item[]> {
  const reply = await ask(`GET /videos/?email=${encodeURIComponent(email)}${query}`);
  expect(reply.status).toBe(200);
  return read(reply).data as Item[];
}

export async function finishedVideo(): Promise<Item> {
  const found = (await list('&limit=100')).find(
    (item) => item.video_status_name === 'COMPLETED' && item.url,
  );
  if (!found) throw new Error('The account has no finished video to work with.');
  return found;
}

export async function uploadSpeech(): Promise<Item> {
  const reply = await ask(`POST /files/?email=${encodeURIComponent(email)}`, {
    body: await readFile(speech),
    type: 'audio/mpeg',
  });
  expect(reply.status).toBe(200);
  return read(reply);
}

export function expectError(reply: Reply, status: number) {
  expect(reply.status).toBe(status);
  expect(typeof read(reply).error).toBe('string');
}

/** Every field is documented as optional, so a field is checked only if it is present. */
export function expectItem(item: Item) {
  expect(item.video_id).toMatch(/^user:\d+-pixverse:.+-\w+:\d+$/);
  const types: [string, string][] = [
    ['video_status', 'number'],
    ['video_status_name', 'string'],
    ['video_status_final', 'boolean'],
    ['url', 'string'],
    ['prompt', 'string'],
    ['output_width', 'number'],
    ['created_at', 'string'],
  ];
  for (const [field, type] of types) {
    if (item[field] !== undefined) expect([field, typeof item[field]]).toEqual([field, type]);
  }
  const codes = new Map([
    ['COMPLETED', [1]],
    ['QUEUED', [5]],
    ['MODERATED', [7]],
    ['FAILED', [8]],
    ['GENERATING', [9, 10]],
  ]);
  const allowed = codes.get(String(item.video_status_name));
  if (allowed) expect(allowed).toContain(item.video_status);
  if (item.video_status_name === 'COMPLETED') {
    expect(item.video_status_final).toBe(true);
    expect(item.url).toMatch(/^https?:/);
  }
}
