import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

/**
 * A second upstream, written from the documents alone and sharing no line with the sandbox: what the documents leave
 * open it may do otherwise. Nothing moves in it by itself: a test moves the jobs.
 */
export type Habits = {
  accounts: { email: string; maxJobs: number }[];
  /** Order of GET /videos, which no document tells. */
  order: 'newest' | 'oldest';
  /** The id's name in GET /scheduler/: of December 2024 or of March 2026. */
  schedulerId: 'videoId' | 'id';
  /** What GET one answers for a job that still runs. */
  running: 404 | 200;
  /** Whether pages of GET /videos say where the next one begins, and whether there is one. */
  tells: 'nothing' | 'next_offset' | 'next_offset and has_more';
  /** A page never has more, whatever is asked. */
  pageLimit: number;
  /** Whether error bodies of other endpoints than lipsync have a `code`. */
  hasErrorCode: boolean;
  deletes: 'with nothing' | 'with JSON';
  callbacks: 'none' | 'once' | 'twice';
  callbackType: string;
  /** `response.replyRef` instead of `replyRef`. */
  nestsReplyRef: boolean;
  /** The POST makes its job and answers 500. */
  hidesAnswer: boolean;
  /** The first callback comes before the answer to the POST. */
  callsBeforeAnswer: boolean;
  /** Items of GET /videos repeat the `replyRef`. */
  listsReplyRef: boolean;
  writesNumbersAsStrings: boolean;
  /** Where a video is named by its number alone: the documents have ids of both kinds. */
  bareNumbers: 'nowhere' | 'in lists' | 'in the answer to POST';
  /** Optional fields that are left out of videos. */
  omits: string[];
  /** Those that are left out of GET /videos, and not of GET one. */
  omitsInList: string[];
  /** Fields that no document mentions, everywhere. */
  addsFields: boolean;
  /** Every answer comes this much later. */
  delayMs: number;
};

export const plainHabits: Habits = {
  accounts: [{ email: 'studio@example.com', maxJobs: 3 }],
  order: 'newest',
  schedulerId: 'videoId',
  running: 404,
  tells: 'nothing',
  pageLimit: 100,
  hasErrorCode: true,
  deletes: 'with nothing',
  callbacks: 'once',
  callbackType: 'application/json',
  nestsReplyRef: false,
  hidesAnswer: false,
  callsBeforeAnswer: false,
  listsReplyRef: false,
  writesNumbersAsStrings: false,
  bareNumbers: 'nowhere',
  omits: [],
  omitsInList: [],
  addsFields: false,
  delayMs: 0,
};

type Gate = Route | `answer to ${Route}`;

export type SeenRequest = {
  method: string;
  /** As it came over the wire, not decoded. */
  url: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
};

export type Reply = { status: number; body?: string; headers?: Record<string, string> };

/** Such as `POST /videos/lipsync`; ids and e-mails read `{id}` and `{email}`, and no path ends in a slash. */
export type Route = `${'GET' | 'POST' | 'DELETE'} /${string}`;

type Item = {
  id: string;
  email: string;
  status: number;
  prompt: string;
  createdAt: Date;
  replyUrl: string | null;
  replyRef: string | null;
  isTracked: boolean;
  isOffPeak: boolean;
};

export type Job = {
  id: string;
  replyRef: string;
  /** The body of the POST that started it. */
  body: Record<string, unknown>;
  /** Sets the status (upstream.md, section 3), and resolves once its callbacks have been answered, with their statuses. */
  become(status: 5 | 7 | 8 | 9 | 10 | 1): Promise<number[]>;
};

export type OtherUpstream = Awaited<ReturnType<typeof startOtherUpstream>>;

export const otherToken = 'user:1207-qz7Hk3wTn9Rd5xLm';

/** Not the number in the token: the documents nowhere say that they are the same. */
const userId = '88041';

const names: Record<number, string> = {
  1: 'COMPLETED',
  5: 'QUEUED',
  7: 'MODERATED',
  8: 'FAILED',
  9: 'GENERATING',
  10: 'GENERATING',
};
const finalStatuses = new Set([1, 7, 8]);

const fileTypes =
  /^(image\/(png|jpeg|gif|webp)|video\/(mp4|quicktime|3gpp|x-matroska|x-flv|mpeg|mp2t|x-msvideo|x-motion-jpeg|webm|ogg)|audio\/(wav|wave|mpeg))$/i;

const voiceNames =
  'Emily James Isabella Liam Chloe Adrian Harper Ava Sophia Julia Mason Jack'.split(' ');

class Refused extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export async function startOtherUpstream(given: Partial<Habits> = {}) {
  const world = new World({ ...plainHabits, ...given });
  const server = createServer((request, response) => {
    answer(world, request, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  world.origin = origin;
  return {
    baseUrl: `${origin}/v2/pixverse`,
    token: otherToken,
    habits: world.habits,
    requests: world.requests,
    jobs: world.jobs,
    accounts: world.accounts,
    /** A finished video of that account, as the website makes them. */
    addVideo: (email: string, prompt: string) => world.addVideo(email, prompt).id,
    /** Answers the route so from now on; null as documented again. */
    reply: (route: Route, reply: Reply | ((request: SeenRequest) => Reply | null) | null) => {
      if (reply === null) world.replies.delete(route);
      else world.replies.set(route, typeof reply === 'function' ? reply : () => reply);
    },
    /** Takes requests on the route and answers none until the function that it returns is called. */
    hold: (route: Route) => world.hold(route),
    /** The same, but the answers are those of the moment when the requests came. */
    holdAnswers: (route: Route) => world.hold(`answer to ${route}`),
    /** Resolves with the job of the next POST that is accepted, or with one accepted already that nobody took. */
    nextJob: () => world.nextJob(),
    countOf: (route: Route) =>
      world.requests.filter((seen) => routeOf(seen)?.route === route).length,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** What a request asks for; undefined where the documents know no such path. */
export function routeOf(seen: {
  method: string;
  url: string;
}): { route: Route; segment: string } | undefined {
  const path = seen.url.split('?')[0] ?? '';
  const prefix = '/v2/pixverse';
  if (!path.startsWith(`${prefix}/`)) return undefined;
  const rest = path.slice(prefix.length);
  const fixed = new Map<string, string[]>([
    // Both ways are documented for these, and only for these.
    ['/videos', ['GET']],
    ['/videos/voices', ['GET']],
    ['/videos/lipsync', ['POST']],
    ['/files', ['POST']],
    ['/features', ['GET']],
    ['/scheduler', ['GET']],
    ['/scheduler/available', ['GET']],
  ]);
  const bare = rest.replace(/\/$/, '');
  if (fixed.get(bare)?.includes(seen.method))
    return { route: route(seen.method, bare), segment: '' };
  if (rest === '/accounts' && seen.method === 'GET') return { route: 'GET /accounts', segment: '' };
  const [, folder = '', segment = ''] = /^\/(videos|scheduler|accounts)\/([^/]+)$/.exec(rest) ?? [];
  const shape = {
    videos: '/videos/{id}',
    scheduler: '/scheduler/{id}',
    accounts: '/accounts/{email}',
  }[folder];
  const methods = { videos: 'GET DELETE', scheduler: 'DELETE', accounts: 'GET POST DELETE' }[
    folder
  ];
  if (shape === undefined || !methods?.split(' ').includes(seen.method)) return undefined;
  return { route: route(seen.method, shape), segment };
}

function route(method: string, path: string): Route {
  return `${method} ${path}` as Route;
}

class World {
  readonly habits: Habits;
  readonly accounts: Habits['accounts'];
  readonly requests: SeenRequest[] = [];
  readonly jobs: Job[] = [];
  readonly replies = new Map<Route, (request: SeenRequest) => Reply | null>();
  readonly items: Item[] = [];
  readonly #gates = new Map<Gate, Promise<void>>();
  readonly #untaken: Job[] = [];
  readonly #takers: ((job: Job) => void)[] = [];
  origin = '';
  #number = 370_538_497_751_884;
  #createdAt = Date.parse('2026-03-01T08:00:00Z');

  constructor(habits: Habits) {
    this.habits = habits;
    this.accounts = [...habits.accounts];
  }

  addVideo(email: string, prompt: string): Item {
    this.#createdAt += 61_000;
    return this.#add({ email, prompt, status: 1, createdAt: new Date(this.#createdAt) });
  }

  #add(part: Pick<Item, 'email' | 'prompt' | 'status' | 'createdAt'> & Partial<Item>): Item {
    this.#number += 977;
    const item: Item = {
      id: `user:${userId}-pixverse:${part.email}-video:${this.#number}`,
      replyUrl: null,
      replyRef: null,
      isTracked: false,
      isOffPeak: false,
      ...part,
    };
    this.items.push(item);
    return item;
  }

  async startJob(email: string, body: Record<string, unknown>): Promise<Job> {
    const item = this.#add({
      email,
      prompt: typeof body.prompt === 'string' ? body.prompt : '',
      status: 5,
      createdAt: new Date(),
      replyUrl: typeof body.replyUrl === 'string' ? body.replyUrl : null,
      replyRef: typeof body.replyRef === 'string' ? body.replyRef : null,
      isOffPeak: body.off_peak_mode === true,
      isTracked: body.off_peak_mode !== true,
    });
    const job: Job = {
      id: item.id,
      replyRef: item.replyRef ?? '',
      body,
      become: async (status) => {
        item.status = status;
        if (finalStatuses.has(status)) item.isTracked = false;
        return this.#callBack(item);
      },
    };
    this.jobs.push(job);
    if (this.habits.callsBeforeAnswer) await this.#callBack(item);
    const taker = this.#takers.shift();
    if (taker === undefined) this.#untaken.push(job);
    else taker(job);
    return job;
  }

  nextJob(): Promise<Job> {
    const job = this.#untaken.shift();
    return job === undefined
      ? new Promise((resolve) => this.#takers.push(resolve))
      : Promise.resolve(job);
  }

  hold(gate: Gate): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gates.set(gate, promise);
    return () => {
      this.#gates.delete(gate);
      resolve();
    };
  }

  async passGate(gate: Gate): Promise<void> {
    await this.#gates.get(gate);
  }

  async #callBack(item: Item): Promise<number[]> {
    const times = { none: 0, once: 1, twice: 2 }[this.habits.callbacks];
    if (item.replyUrl === null) return [];
    const { replyRef } = item;
    const body = {
      ...this.describe(item),
      ...(this.habits.nestsReplyRef ? { response: { replyRef } } : { replyRef }),
    };
    const statuses: number[] = [];
    for (let time = 0; time < times; time += 1) {
      const response = await fetch(item.replyUrl, {
        method: 'POST',
        headers: { 'content-type': this.habits.callbackType },
        body: JSON.stringify(body),
      });
      await response.arrayBuffer();
      statuses.push(response.status);
    }
    return statuses;
  }

  countTracked(email: string): number {
    return this.items.filter((item) => item.isTracked && item.email === email).length;
  }

  /** One item of GET /videos. */
  describeListed(item: Item): Record<string, unknown> {
    const fields = this.describe(item);
    if (this.habits.bareNumbers === 'in lists') fields.video_id = numberOf(item.id);
    for (const name of this.habits.omitsInList) delete fields[name];
    return fields;
  }

  /** The answer of GET one. */
  describe(item: Item): Record<string, unknown> {
    const isDone = item.status === 1;
    const number = (value: number) => (this.habits.writesNumbersAsStrings ? String(value) : value);
    const file = `${this.origin}/media/${item.id.split(':').at(-1)}`;
    const fields: Record<string, unknown> = {
      video_id: item.id,
      video_status: number(item.status),
      video_status_name: names[item.status],
      // As it was documented until July 2025: also true for QUEUED.
      video_status_final: finalStatuses.has(item.status) || item.status === 5,
      account_id: number(88_041),
      created_at: `${item.createdAt.toISOString().slice(0, 19)}Z`,
      first_frame: isDone ? `${file}.jpg` : '',
      last_frame: '',
      output_width: number(isDone ? 720 : 0),
      output_height: number(isDone ? 960 : 0),
      original_video_id: number(0),
      prompt: item.prompt,
      negative_prompt: '',
      model: 'v5',
      quality: '540p',
      seed: number(1_290_385_503),
      queue_data: { queue_time: 0, queue_count: 0 },
      video_duration: number(isDone ? 5 : 0),
      lip_sync: {},
      // Also of one that still runs: an address proves nothing.
      url: item.status === 5 ? '' : `${file}.mp4`,
      img_url: `${file}.webp\n`,
      aspect_ratio: '3:4',
      customer_paths: null,
      off_peak: item.isOffPeak ? 1 : 0,
      ...(this.habits.listsReplyRef && item.replyRef !== null ? { replyRef: item.replyRef } : {}),
    };
    for (const name of this.habits.omits) delete fields[name];
    return this.#extend(fields);
  }

  #extend(fields: Record<string, unknown>): Record<string, unknown> {
    if (!this.habits.addsFields) return fields;
    return {
      ...fields,
      moods: ['calm', null, { tempo: 0.25 }],
      'x-trace': 'b7',
      schema_version: 9,
    };
  }
}

async function answer(
  world: World,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const seen: SeenRequest = {
    method: request.method ?? '',
    url: request.url ?? '',
    headers: request.headers,
    body: await readBody(request),
  };
  world.requests.push(seen);
  if (world.habits.delayMs > 0) await wait(world.habits.delayMs);
  const asked = routeOf(seen);
  if (asked !== undefined) await world.passGate(asked.route);
  const reply = await replyTo(world, seen, asked);
  if (asked !== undefined) await world.passGate(`answer to ${asked.route}`);
  response.writeHead(reply.status, reply.headers ?? { 'content-type': 'application/json' });
  response.end(reply.body);
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

type Asked = NonNullable<ReturnType<typeof routeOf>>;

async function replyTo(world: World, seen: SeenRequest, asked: Asked | undefined): Promise<Reply> {
  const isLipsync = asked?.route === 'POST /videos/lipsync';
  const refuse = (status: number, error: string): Reply => ({
    status,
    body: JSON.stringify(
      isLipsync || !world.habits.hasErrorCode ? { error } : { error, code: status },
    ),
  });
  if (asked === undefined) return refuse(404, `No such endpoint: ${seen.method} ${seen.url}`);
  const given = world.replies.get(asked.route)?.(seen);
  if (given !== undefined && given !== null) return given;
  if (seen.headers.authorization !== `Bearer ${otherToken}`) return refuse(401, 'Unauthorized');
  try {
    return await endpoints(world, seen, asked);
  } catch (error) {
    if (error instanceof Refused) return refuse(error.status, error.message);
    throw error;
  }
}

const ok = (body: unknown): Reply => ({ status: 200, body: JSON.stringify(body) });

async function endpoints(world: World, seen: SeenRequest, asked: Asked): Promise<Reply> {
  const query = new URLSearchParams(seen.url.split('?')[1] ?? '');
  const deleted = world.habits.deletes === 'with JSON' ? ok({ deleted: true }) : { status: 204 };
  switch (asked.route) {
    case 'GET /accounts':
      return listAccounts(world);
    case 'GET /accounts/{email}': {
      const account = world.accounts.find(
        ({ email }) => email === decodeURIComponent(asked.segment),
      );
      if (account === undefined) throw new Refused(404, 'This account is not configured.');
      return ok(describeAccount(account));
    }
    case 'GET /features':
      findAccount(world, query);
      return ok({
        user_id: 88_041,
        plan_name: 'Pro',
        credit_daily: world.habits.writesNumbersAsStrings ? '60' : 60,
        credit_monthly: 5_600,
        credit_package: 0,
        price: '30',
        gen_simultaneously: 5,
        expired_date: '0001-01-01T00:00:00Z',
      });
    case 'GET /videos/voices':
      findAccount(world, query);
      return ok({ tts_list: voiceNames.map((name, at) => describeVoice(world, name, at + 1)) });
    case 'POST /files':
      return takeFile(world, seen, query);
    case 'GET /videos':
      return listVideos(world, query);
    case 'GET /videos/{id}': {
      const item = findItem(world, asked.segment);
      const isRunning = !finalStatuses.has(item.status);
      if (isRunning && world.habits.running === 404) throw new Refused(404, 'Video not found.');
      return ok(world.describe(item));
    }
    case 'DELETE /videos/{id}':
      world.items.splice(world.items.indexOf(findItem(world, asked.segment)), 1);
      return deleted;
    case 'POST /videos/lipsync':
      return startLipsync(world, seen);
    case 'GET /scheduler':
      return ok(
        world.items.filter((item) => item.isTracked).map((item) => describeRun(world, item)),
      );
    case 'GET /scheduler/available':
      return ok(describeRoom(world));
    case 'DELETE /scheduler/{id}': {
      const item = findItem(world, asked.segment);
      if (!item.isTracked) throw new Refused(404, `Unable to locate running ${asked.segment}`);
      item.isTracked = false;
      item.replyUrl = null;
      return deleted;
    }
    default:
      throw new Refused(404, 'Not in this upstream.');
  }
}

function listAccounts(world: World): Reply {
  if (world.accounts.length === 0) throw new Refused(404, 'No accounts are configured.');
  return ok(Object.fromEntries(world.accounts.map((each) => [each.email, describeAccount(each)])));
}

function describeAccount({ email, maxJobs }: Habits['accounts'][number]) {
  return {
    email,
    password: '…secured…',
    maxJobs,
    jwt: { AccountId: 88_041, ExpireTimeUTC: '2027-01-01T12:13:14.000Z', token: 'abc…secured…cde' },
  };
}

function describeVoice(world: World, name: string, number: number) {
  return {
    // A decimal string in the documents' example.
    speaker_id: world.habits.writesNumbersAsStrings ? number : String(number),
    url: `https://media.pixverse.ai/pixverse/mp3/lipsync/tts/${number}.mp3${number === 3 ? '\n' : ''}`,
    display_name: name,
  };
}

/** With one account `email` may be missing; with more it may not. */
function findAccount(world: World, query: URLSearchParams): string {
  const email = query.get('email');
  if (email === null) {
    const [only, ...others] = world.accounts;
    if (only === undefined) throw new Refused(404, 'No accounts are configured.');
    if (others.length > 0) throw new Refused(400, 'Parameter email is required.');
    return only.email;
  }
  if (!world.accounts.some((account) => account.email === email)) {
    throw new Refused(400, `Account ${email} is not configured.`);
  }
  return email;
}

/** Ids stand raw in a path; an encoded one is refused with 400. */
function findItem(world: World, segment: string): Item {
  if (segment.includes('%')) throw new Refused(400, 'Malformed video_id.');
  if (!/^user:.+-pixverse:.+-video:\d+$/.test(segment))
    throw new Refused(400, 'Malformed video_id.');
  const item = world.items.find(({ id }) => id === segment);
  if (item === undefined) throw new Refused(404, 'Video not found.');
  return item;
}

function takeFile(world: World, seen: SeenRequest, query: URLSearchParams): Reply {
  findAccount(world, query);
  const [type = ''] = (seen.headers['content-type'] ?? '').split(';');
  if (!fileTypes.test(type.trim()))
    throw new Refused(400, `Content-Type ${type} is not supported.`);
  if (seen.body.length === 0) throw new Refused(400, 'The body is empty.');
  const name = `lip/${seen.body.length}/${world.requests.length}.bin`;
  const file = { path: name, url: `${world.origin}/media/${name}` };
  return type.startsWith('image/') ? ok({ result: [{ id: 7, ...file, err_msg: '' }] }) : ok(file);
}

function numberOf(id: string): number {
  return Number(id.split(':').at(-1));
}

function listVideos(world: World, query: URLSearchParams): Reply {
  const email = findAccount(world, query);
  const limit = Math.min(Number(query.get('limit') ?? 40), world.habits.pageLimit);
  const offset = Number(query.get('offset') ?? 0);
  const own = world.items.filter((item) => item.email === email);
  const sorted = world.habits.order === 'oldest' ? own : own.toReversed();
  const page = sorted.slice(offset, offset + limit);
  const next = offset + page.length;
  const hasMore = next < sorted.length;
  const { tells } = world.habits;
  return ok({
    data: page.map((item) => world.describeListed(item)),
    ...(tells !== 'nothing' && hasMore ? { next_offset: next } : {}),
    ...(tells === 'next_offset and has_more' ? { has_more: hasMore } : {}),
  });
}

function describeRun(world: World, item: Item) {
  return {
    ...(world.habits.schedulerId === 'id' ? { id: item.id, type: 'video' } : { videoId: item.id }),
    started: item.createdAt.toISOString(),
    elapsed: '00:07',
    replyUrl: item.replyUrl,
    replyRef: item.replyRef,
  };
}

function describeRoom(world: World) {
  return {
    executing: world.items
      .filter((item) => item.isTracked)
      .map((item) => ({
        ...(world.habits.schedulerId === 'id'
          ? { id: item.id, type: 'video' }
          : { video_id: item.id }),
        replyRef: item.replyRef,
      })),
    available: world.accounts.map(({ email, maxJobs }) => {
      const executing = world.countTracked(email);
      return { email, maxJobs, executing, available: maxJobs - executing };
    }),
  };
}

/** Strict where a client could be wrong: types, exclusions and limits of the documents. */
async function startLipsync(world: World, seen: SeenRequest): Promise<Reply> {
  if (!/^application\/json\b/i.test(seen.headers['content-type'] ?? '')) {
    throw new Refused(400, 'Content-Type must be application/json.');
  }
  const body = parseObject(seen.body);
  checkTypes(body);
  if ('video_id' in body === 'video_path' in body) {
    throw new Refused(400, 'Provide either video_id or video_path.');
  }
  if ('audio_path' in body === 'prompt' in body) {
    throw new Refused(400, 'Provide either audio_path or prompt.');
  }
  const account = accountOf(world, body);
  const allowed = typeof body.maxJobs === 'number' ? body.maxJobs : account.maxJobs;
  if (world.countTracked(account.email) >= allowed && body.off_peak_mode !== true) {
    throw new Refused(429, `Account ${account.email} is busy executing ${allowed} tasks.`);
  }
  const job = await world.startJob(account.email, body);
  if (world.habits.hidesAnswer) return { status: 500, body: '' };
  return ok({
    video_id: world.habits.bareNumbers === 'in the answer to POST' ? numberOf(job.id) : job.id,
    ...(world.habits.addsFields ? { cost_credits: 12, accepted_in: 'eu' } : {}),
  });
}

function accountOf(world: World, body: Record<string, unknown>): Habits['accounts'][number] {
  const email =
    typeof body.video_id === 'string' ? findItem(world, body.video_id).email : body.email;
  const account =
    email === undefined
      ? world.accounts.find((each) => world.countTracked(each.email) < each.maxJobs)
      : world.accounts.find((each) => each.email === email);
  if (account !== undefined) return account;
  if (email === undefined) {
    throw new Refused(429, 'All configured accounts are running at maximum capacity.');
  }
  throw new Refused(400, `Account ${String(email)} is not configured.`);
}

function parseObject(bytes: Buffer): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(bytes.toString('utf8'));
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) {
      return parsed as Record<string, unknown>;
    }
  } catch {
    // Told below.
  }
  throw new Refused(400, 'The body is not a JSON object.');
}

const fieldTypes: Record<string, 'string' | 'number' | 'boolean'> = {
  video_id: 'string',
  video_path: 'string',
  audio_path: 'string',
  prompt: 'string',
  speaker_id: 'number',
  original_sound_switch: 'boolean',
  off_peak_mode: 'boolean',
  email: 'string',
  replyUrl: 'string',
  replyRef: 'string',
  maxJobs: 'number',
};
const longest: Record<string, number> = { prompt: 200, replyUrl: 1024, replyRef: 1024 };

function checkTypes(body: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(body)) {
    if (fieldTypes[name] === undefined) throw new Refused(400, `Unknown parameter ${name}.`);
    if (typeof value !== fieldTypes[name]) {
      throw new Refused(400, `Parameter ${name} must be a ${fieldTypes[name]}.`);
    }
    if (typeof value === 'string' && value.length > (longest[name] ?? Number.POSITIVE_INFINITY)) {
      throw new Refused(400, `${name} is too long`);
    }
  }
  const { maxJobs } = body;
  if (typeof maxJobs === 'number' && !(Number.isInteger(maxJobs) && maxJobs >= 1 && maxJobs <= 8)) {
    throw new Refused(400, 'Valid range for maxJobs is 1…8.');
  }
}
