/**
 * Measures the time from a callback of the video service to the arrival of the event at the last subscriber, and the memory
 * of an idle subscriber. The peer is a server of graphql-ws and graphql-js alone, which broadcasts a finished event: it
 * reads nothing and stores nothing. Product, peer, the subscribers of each and the video service are processes of their own.
 * Beside the subscribers of the events others stay idle: 8,000 in the full form, so that a process has 10,000.
 *
 *     npm run bench -- fan-out [--short]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import type { Command } from './fan-out/client.ts';
import type { BenchOptions, Comparison, Measurement } from './report.ts';

const root = join(import.meta.dirname, '..');
const sockets = 2_000;
/** As many as one owner may have in one process. */
const manyIdle = 10_000;
const clientScript = 'bench/fan-out/client.ts';
const peerName = 'bare graphql-ws';

const query = `subscription ($id: ID!) { lipsyncProgress(id: $id) { ... on LipsyncProgress {
  cursor sequence status percent queuePosition occurredAt source failure { code message }
  lipsync { id status reference text createdAt progress { percent estimatedCompletionAt queuePosition } } } } }`;

/** `finish` prepares the event; a POST to `post` causes it. */
type Topic = { id: string; post: string; finish?: () => Promise<unknown> };

/** A server with subscribers, and a way to cause an event of one topic. */
type Subject = {
  url: string;
  client: ChildProcess;
  process: ChildProcess;
  /** A new topic for subscribers. */
  prepare(): Promise<Topic>;
};

export const run: Measurement = async (options) => {
  const folder = await mkdtemp(join(tmpdir(), 'lipsync-bench-'));
  const children: ChildProcess[] = [];
  const start = (script: string, env: Record<string, string> = {}) => {
    const child = startNode(script, {
      DATA_DIR: join(folder, script.replaceAll('/', '-')),
      ...env,
    });
    children.push(child);
    return child;
  };
  try {
    const ours = await startProduct(start);
    const peer = await startPeer(start);
    return await compare({ ours, peer }, options);
  } finally {
    for (const child of children) child.kill('SIGTERM');
    await Promise.all(children.map((child) => child.exitCode ?? once(child, 'exit')));
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
};

type Parties = { ours: Subject; peer: Subject };

async function compare(parties: Parties, options: BenchOptions): Promise<Comparison[]> {
  const { ours, peer } = parties;
  const idle = options.isShort ? sockets : manyIdle;
  const memory = { ours: await measureIdle(ours, idle), peer: await measureIdle(peer, idle) };
  for (const { client, url } of [ours, peer]) {
    await send(client, { do: 'close', url, from: idle - sockets });
    await send(client, { do: 'open', url, count: idle });
  }
  // For few subscribers nothing is promised, so the short form leaves them out.
  const few = options.isShort
    ? []
    : await compareLatency(parties, { subscribers: 100, idle, rounds: 30 });
  const rounds = options.isShort ? 2 : 15;
  return [
    ...few,
    ...(await compareLatency(parties, { subscribers: sockets, idle, rounds })),
    {
      name: `memory of each of ${idle} idle subscribers`,
      unit: 'kB',
      ours: [memory.ours],
      peer: { name: peerName, values: [memory.peer] },
      promise: { bound: 'at most', ratio: 1.2 },
    },
  ];
}

/** The first event of each side compiles its code and is not counted. */
const warmUpRounds = 1;

type Counts = { subscribers: number; idle: number };

async function compareLatency(
  { ours, peer }: Parties,
  { rounds, ...counts }: Counts & { rounds: number },
): Promise<Comparison[]> {
  const measured = { ours: [] as EventTimes[], peer: [] as EventTimes[] };
  for (let round = 0; round < warmUpRounds + rounds; round += 1) {
    measured.ours.push(await measureEvent(ours, counts));
    measured.peer.push(await measureEvent(peer, counts));
  }
  return latenciesOf(counts.subscribers, {
    ours: measured.ours.slice(warmUpRounds),
    peer: measured.peer.slice(warmUpRounds),
  });
}

/** Opens sockets, each with a quiet subscription. @returns the memory of each, in kB */
async function measureIdle(subject: Subject, count: number): Promise<number> {
  const { client, url } = subject;
  const { id } = await subject.prepare();
  const payload = { query, variables: { id } };
  // The first connections load and compile code, which does not count.
  await send(client, { do: 'open', url, count: 100 });
  await send(client, { do: 'subscribe', url, from: 0, to: 100, payload });
  await send(client, { do: 'close', url, from: 0 });
  await wait(1_000);
  const before = await ask(subject.process, 'memory');
  await send(client, { do: 'open', url, count });
  await send(client, { do: 'subscribe', url, from: 0, to: count, payload });
  await wait(1_000);
  const bytes = (await ask(subject.process, 'memory')) - before;
  return bytes / count / 1024;
}

/** Until the last subscriber received the event: the time, and the CPU time of the server, on which other processes have little effect. */
type EventTimes = { ms: number; cpuMs: number };

async function measureEvent(subject: Subject, { subscribers, idle }: Counts): Promise<EventTimes> {
  const { client, url } = subject;
  const { id, post, finish } = await subject.prepare();
  const payload = { query, variables: { id } };
  const from = idle - sockets;
  await send(client, { do: 'subscribe', url, from, to: from + subscribers, payload });
  await finish?.();
  const marker = '"status":"FAILED"';
  const cpuBefore = await ask(subject.process, 'cpu');
  const ms = await send(client, { do: 'trigger', url, post, marker, expected: subscribers });
  return { ms, cpuMs: (await ask(subject.process, 'cpu')) - cpuBefore };
}

function latenciesOf(
  subscribers: number,
  { ours, peer }: { ours: EventTimes[]; peer: EventTimes[] },
): Comparison[] {
  const name = `callback to the last of ${subscribers} subscribers`;
  const timesOf = (times: readonly EventTimes[]) =>
    times.map(({ ms }) => ms).toSorted((a, b) => a - b);
  const cpuOf = (times: readonly EventTimes[]) => times.map(({ cpuMs }) => cpuMs);
  // With few subscribers the work of the callback itself outweighs the broadcast, so nothing is promised for them.
  const promise = { bound: 'at most', ratio: 1 } as const;
  const compared = (of: (times: readonly EventTimes[]) => number[]) => ({
    ours: of(ours),
    peer: { name: peerName, values: of(peer) },
  });
  return [
    {
      ...{ name, unit: 'ms', ...compared(timesOf) },
      ...(subscribers === sockets ? { promise } : {}),
    },
    {
      ...{ name: `${name}, slowest event`, unit: 'ms' },
      ...compared((times) => timesOf(times).slice(-1)),
    },
    { ...{ name: `${name}, CPU time of the server`, unit: 'ms' }, ...compared(cpuOf) },
  ];
}

type Start = (script: string, env?: Record<string, string>) => ChildProcess;

async function startProduct(start: Start): Promise<Subject> {
  const sandbox = start('src/sandbox/main.ts');
  const [, baseUrl = '', token = ''] = await readLine(sandbox, /sandbox at (\S+) with token (\S+)/);
  const origin = new URL(baseUrl).origin;
  const control = (path: string, method = 'GET', body?: object) =>
    readJson(`${origin}/_sandbox/${path}`, method, body);
  await control('switches', 'PUT', { callbacks: 'none' });
  const program = start('src/main.ts', {
    ...{ USEAPI_BASE_URL: baseUrl, USEAPI_TOKEN: token, ALLOW_ANONYMOUS: 'true' },
    // Only callbacks cause events.
    POLL_INTERVAL_MS: '3600000',
  });
  const [, url = ''] = await readLine(program, /"url":"(http:[^"]*?)(?:\/graphql)?"/);
  const ask = (text: string, variables = {}) =>
    readJson(`${url}/graphql`, 'POST', { query: text, variables }) as Promise<{ data: unknown }>;
  const { data } = await ask('{ videos(first: 1) { ... on VideoConnection { nodes { id } } } }');
  const [video] = (data as { videos: { nodes: { id: string }[] } }).videos.nodes;
  const creation = `mutation ($id: ID!) { createLipsync(input: {
    video: { videoId: $id } speech: { script: { text: "[[never]] Hello." } } reference: "bench" }) {
      ... on CreateLipsyncSuccess { lipsync { id } } } }`;
  return {
    url,
    client: start(clientScript),
    process: program,
    async prepare() {
      const created = (await ask(creation, { id: video?.id })) as {
        data: { createLipsync: { lipsync: { id: string } } };
      };
      type Job = { video_id: string; replyUrl: string };
      const { jobs } = (await control('jobs')) as { jobs: Job[] };
      const job = jobs.at(-1);
      if (job === undefined) throw new Error('The lip-sync was not sent.');
      return {
        id: created.data.createLipsync.lipsync.id,
        post: job.replyUrl,
        finish: () =>
          control(`jobs/${encodeURIComponent(job.video_id)}/finish`, 'POST', { status: 'FAILED' }),
      };
    },
  };
}

async function startPeer(start: Start): Promise<Subject> {
  const program = start('bench/fan-out/broadcast.ts');
  const [, url = ''] = await readLine(program, /"url":"([^"]*)"/);
  let lastId = 0;
  return {
    url,
    client: start(clientScript),
    process: program,
    async prepare() {
      lastId += 1;
      // As long as an id of the product.
      const id = Buffer.from(`Lipsync:00000000-0000-4000-8000-${String(lastId).padStart(12, '0')}`);
      const text = id.toString('base64url');
      return { id: text, post: `${url}/publish/${text}` };
    },
  };
}

function startNode(script: string, env: Record<string, string>): ChildProcess {
  const probe = script === clientScript ? [] : ['--import', join(root, 'bench/fan-out/probe.ts')];
  // As `npm start` does.
  const flags = ['--liftoff-only', ...probe];
  const child = spawn(process.execPath, [...flags, join(root, script)], {
    cwd: root,
    env: { PATH: process.env.PATH, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  child.once('exit', (code) => {
    if (code !== 0 && code !== null) throw new Error(`${script} ended with ${code}.`);
  });
  return child;
}

/** The match of the first line that fits. Later lines are read and discarded. */
function readLine({ stdout }: ChildProcess, pattern: RegExp): Promise<RegExpExecArray> {
  if (stdout === null) throw new Error('The output was not piped.');
  const { promise, resolve } = Promise.withResolvers<RegExpExecArray>();
  createInterface({ input: stdout }).on('line', (line) => {
    const match = pattern.exec(line);
    if (match !== null) resolve(match);
  });
  return promise;
}

function send(client: ChildProcess, command: Command): Promise<number> {
  return ask(client, command);
}

async function ask(child: ChildProcess, message: object | string): Promise<number> {
  const answer = once(child, 'message');
  child.send(message);
  return Number((await answer)[0]);
}

async function readJson(url: string, method: string, body?: object): Promise<unknown> {
  const response = await fetch(url, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return response.json();
}
