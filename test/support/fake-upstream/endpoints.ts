import { type FakeAccount, fakeToken } from './behaviour.ts';
import { type Outcome, outcomes } from './outcomes.ts';
import { callOf, type Reply, type routeOf, type SeenRequest } from './routes.ts';
import { finalStatuses, type Item, type Job, numberOf, type UpstreamState } from './state.ts';

const fileTypes =
  /^(image\/(png|jpeg|gif|webp)|video\/(mp4|quicktime|3gpp|x-matroska|x-flv|mpeg|mp2t|x-msvideo|x-motion-jpeg|webm|ogg)|audio\/(wav|wave|mpeg))$/i;

const voiceNames =
  'Emily James Isabella Liam Chloe Adrian Harper Ava Sophia Julia Mason Jack'.split(' ');

class UpstreamError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export type Asked = NonNullable<ReturnType<typeof routeOf>>;

/** The answer to a request: an override of the test, an error, or what the documents say. */
export async function replyTo(
  state: UpstreamState,
  seen: SeenRequest,
  asked: Asked | undefined,
): Promise<Reply> {
  const isLipsync = asked?.route === 'POST /videos/lipsync';
  const failWith = (status: number, error: string): Reply => ({
    status,
    body: JSON.stringify(
      isLipsync || !state.behaviour.hasErrorCode ? { error } : { error, code: status },
    ),
  });
  if (asked === undefined) return failWith(404, `No such endpoint: ${seen.method} ${seen.url}`);
  const given = state.replies.get(asked.route)?.(seen) ?? state.replyToAll(callOf(seen));
  if (given !== null) return given;
  if (seen.headers.authorization !== `Bearer ${fakeToken}`) return failWith(401, 'Unauthorized');
  try {
    return await endpoints(state, seen, asked);
  } catch (error) {
    if (error instanceof UpstreamError) return failWith(error.status, error.message);
    throw error;
  }
}

const ok = (body: unknown): Reply => ({ status: 200, body: JSON.stringify(body) });

async function endpoints(state: UpstreamState, seen: SeenRequest, asked: Asked): Promise<Reply> {
  const query = new URLSearchParams(seen.url.split('?')[1] ?? '');
  const deleted = state.behaviour.deletes === 'with JSON' ? ok({ deleted: true }) : { status: 204 };
  switch (asked.route) {
    case 'GET /accounts':
      return listAccounts(state);
    case 'GET /accounts/{email}':
      return ok(describeAccount(accountNamed(state, asked.segment)));
    case 'POST /accounts/{email}':
      delete accountNamed(state, asked.segment).error;
      return { status: 201, body: '{}' };
    case 'GET /features':
      return ok({
        user_id: 88_041,
        plan_name: 'Pro',
        ...creditsOf(state, query),
        credit_package: 0,
        price: '30',
        gen_simultaneously: 5,
        expired_date: '0001-01-01T00:00:00Z',
      });
    case 'GET /videos/voices':
      findAccount(state, query);
      return ok({ tts_list: voiceNames.map((name, at) => describeVoice(state, name, at + 1)) });
    case 'POST /files':
      return storeFile(state, seen, query);
    case 'GET /videos':
      return listVideos(state, query);
    case 'GET /videos/{id}':
      return readVideo(state, asked.segment);
    case 'DELETE /videos/{id}':
      state.items.splice(state.items.indexOf(findItem(state, asked.segment)), 1);
      return deleted;
    case 'POST /videos/lipsync':
      return startLipsync(state, seen);
    case 'GET /scheduler':
      return ok(
        state.items.filter((item) => item.isTracked).map((item) => describeRun(state, item)),
      );
    case 'GET /scheduler/available':
      return ok(describeCapacity(state));
    case 'DELETE /scheduler/{id}':
      stopTracking(state, asked.segment);
      return deleted;
    default:
      throw new UpstreamError(404, 'Not in this upstream.');
  }
}

function accountNamed(state: UpstreamState, segment: string): FakeAccount {
  const account = state.accounts.find(({ email }) => email === decodeURIComponent(segment));
  if (account === undefined) throw new UpstreamError(404, 'This account is not configured.');
  return account;
}

function listAccounts(state: UpstreamState): Reply {
  if (state.accounts.length === 0) throw new UpstreamError(404, 'No accounts are configured.');
  return ok(Object.fromEntries(state.accounts.map((each) => [each.email, describeAccount(each)])));
}

function describeAccount({ email, maxJobs, error }: FakeAccount) {
  return {
    email,
    password: '…secured…',
    maxJobs,
    ...(error === undefined ? {} : { error }),
    jwt: { AccountId: 88_041, ExpireTimeUTC: '2027-01-01T12:13:14.000Z', token: 'abc…secured…cde' },
  };
}

function creditsOf(state: UpstreamState, query: URLSearchParams) {
  const email = findAccount(state, query);
  const { credits } = state.accounts.find((account) => account.email === email) ?? {};
  if (credits !== undefined) return { credit_daily: 0, credit_monthly: credits };
  const daily = state.behaviour.writesNumbersAsStrings ? '60' : 60;
  return { credit_daily: daily, credit_monthly: 5_600 };
}

function describeVoice(state: UpstreamState, name: string, number: number) {
  return {
    // A decimal string in the documents' example.
    speaker_id: state.behaviour.writesNumbersAsStrings ? number : String(number),
    url: `https://media.pixverse.ai/pixverse/mp3/lipsync/tts/${number}.mp3${number === 3 ? '\n' : ''}`,
    display_name: name,
  };
}

/** With one account `email` may be missing; with more it may not. */
function findAccount(state: UpstreamState, query: URLSearchParams): string {
  const email = query.get('email');
  if (email === null) {
    const [only, ...others] = state.accounts;
    if (only === undefined) throw new UpstreamError(404, 'No accounts are configured.');
    if (others.length > 0) throw new UpstreamError(400, 'Parameter email is required.');
    return only.email;
  }
  if (!state.accounts.some((account) => account.email === email)) {
    throw new UpstreamError(400, `Account ${email} is not configured.`);
  }
  return email;
}

/** Ids are unencoded in a path; an encoded one is rejected with 400. */
function findItem(state: UpstreamState, segment: string): Item {
  if (segment.includes('%')) throw new UpstreamError(400, 'Malformed video_id.');
  if (!/^user:.+-pixverse:.+-video:\d+$/.test(segment))
    throw new UpstreamError(400, 'Malformed video_id.');
  const item = state.items.find(({ id }) => id === segment);
  if (item === undefined) throw new UpstreamError(404, 'Video not found.');
  return item;
}

function readVideo(state: UpstreamState, id: string): Reply {
  const item = findItem(state, id);
  const isRunning = !finalStatuses.has(item.status);
  if (isRunning && state.behaviour.running === 404)
    throw new UpstreamError(404, 'Video not found.');
  return ok(state.describe(item));
}

function stopTracking(state: UpstreamState, id: string): void {
  const item = findItem(state, id);
  if (!item.isTracked) throw new UpstreamError(404, `Unable to locate running ${id}`);
  item.isTracked = false;
  item.replyUrl = null;
}

function storeFile(state: UpstreamState, seen: SeenRequest, query: URLSearchParams): Reply {
  findAccount(state, query);
  const [type = ''] = (seen.headers['content-type'] ?? '').split(';');
  if (!fileTypes.test(type.trim()))
    throw new UpstreamError(400, `Content-Type ${type} is not supported.`);
  if (seen.body.length === 0) throw new UpstreamError(400, 'The body is empty.');
  const name = `lip/${seen.body.length}/${state.requests.length}.bin`;
  const file = { path: name, url: `${state.origin}/media/${name}` };
  return type.startsWith('image/') ? ok({ result: [{ id: 7, ...file, err_msg: '' }] }) : ok(file);
}

function listVideos(state: UpstreamState, query: URLSearchParams): Reply {
  const email = findAccount(state, query);
  const limit = Math.min(Number(query.get('limit') ?? 40), state.behaviour.pageLimit);
  const offset = Number(query.get('offset') ?? 0);
  const own = state.items.filter((item) => item.email === email);
  const sorted = state.behaviour.order === 'oldest' ? own : own.toReversed();
  const page = sorted.slice(offset, offset + limit);
  const next = offset + page.length;
  const hasMore = next < sorted.length;
  const { pageHints } = state.behaviour;
  const isEndless = pageHints === 'next_offset on every page' || pageHints === 'always more';
  return ok({
    data: page.map((item) => state.describeListed(item)),
    ...(pageHints !== 'nothing' && (hasMore || isEndless) ? { next_offset: next } : {}),
    ...(pageHints === 'next_offset and has_more' ? { has_more: hasMore } : {}),
    ...(pageHints === 'always more' ? { has_more: true } : {}),
  });
}

function describeRun(state: UpstreamState, item: Item) {
  return {
    ...(state.behaviour.schedulerId === 'id'
      ? { id: item.id, type: 'video' }
      : { videoId: item.id }),
    started: item.createdAt.toISOString(),
    elapsed: '00:07',
    replyUrl: item.replyUrl,
    ...(state.behaviour.schedulesReplyRef ? { replyRef: item.replyRef } : {}),
  };
}

function describeCapacity(state: UpstreamState) {
  return {
    executing: state.items
      .filter((item) => item.isTracked)
      .map((item) => ({
        ...(state.behaviour.schedulerId === 'id'
          ? { id: item.id, type: 'video' }
          : { video_id: item.id }),
        replyRef: item.replyRef,
      })),
    available: state.accounts.map(({ email, maxJobs }) => {
      const executing = state.countTracked(email);
      return { email, maxJobs, executing, available: maxJobs - executing };
    }),
  };
}

/** Strict where a client could be wrong: types, exclusions and limits of the documents. */
async function startLipsync(state: UpstreamState, seen: SeenRequest): Promise<Reply> {
  const body = parseLipsync(seen);
  const account = accountOf(state, body);
  const allowed = typeof body.maxJobs === 'number' ? body.maxJobs : account.maxJobs;
  const hasSlot = state.countTracked(account.email) < allowed || body.off_peak_mode === true;
  const post = state.takePost(body, hasSlot);
  if (post.outcome === '429') {
    throw new UpstreamError(429, `Account ${account.email} is busy executing ${allowed} tasks.`);
  }
  const { created } = outcomes[post.outcome];
  const job = created ? await state.startJob(account.email, body) : null;
  const isHeld = post.outcome.endsWith('held');
  return answerPost(state, isHeld ? await state.holdPost(post) : post.outcome, job);
}

function parseLipsync(seen: SeenRequest): Record<string, unknown> {
  if (!/^application\/json\b/i.test(seen.headers['content-type'] ?? '')) {
    throw new UpstreamError(400, 'Content-Type must be application/json.');
  }
  const body = parseObject(seen.body);
  checkTypes(body);
  if ('video_id' in body === 'video_path' in body) {
    throw new UpstreamError(400, 'Provide either video_id or video_path.');
  }
  if ('audio_path' in body === 'prompt' in body) {
    throw new UpstreamError(400, 'Provide either audio_path or prompt.');
  }
  return body;
}

function answerPost({ behaviour }: UpstreamState, outcome: Outcome, job: Job | null): Reply {
  if (outcome.endsWith('cut')) return { status: 0, isCut: true };
  if (outcome === 'accepted' && job !== null) {
    return ok({
      video_id: behaviour.bareNumbers === 'in the answer to POST' ? numberOf(job.id) : job.id,
      ...(behaviour.addsFields ? { cost_credits: 12, accepted_in: 'eu' } : {}),
    });
  }
  const status = Number(/\d+$/.exec(outcome)?.[0] ?? 200);
  return { status, body: status === 200 ? '{}' : JSON.stringify({ error: 'No.' }) };
}

function accountOf(state: UpstreamState, body: Record<string, unknown>): FakeAccount {
  const email =
    typeof body.video_id === 'string' ? findItem(state, body.video_id).email : body.email;
  const account =
    email === undefined
      ? state.accounts.find((each) => state.countTracked(each.email) < each.maxJobs)
      : state.accounts.find((each) => each.email === email);
  if (account !== undefined) return account;
  if (email === undefined) {
    throw new UpstreamError(429, 'All configured accounts are running at maximum capacity.');
  }
  throw new UpstreamError(400, `Account ${String(email)} is not configured.`);
}

function parseObject(bytes: Buffer): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(bytes.toString('utf8'));
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) {
      return parsed as Record<string, unknown>;
    }
  } catch {
    // Answered below.
  }
  throw new UpstreamError(400, 'The body is not a JSON object.');
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
    if (fieldTypes[name] === undefined) throw new UpstreamError(400, `Unknown parameter ${name}.`);
    if (typeof value !== fieldTypes[name]) {
      throw new UpstreamError(400, `Parameter ${name} must be a ${fieldTypes[name]}.`);
    }
    if (typeof value === 'string' && value.length > (longest[name] ?? Number.POSITIVE_INFINITY)) {
      throw new UpstreamError(400, `${name} is too long`);
    }
  }
  const { maxJobs } = body;
  if (typeof maxJobs === 'number' && !(Number.isInteger(maxJobs) && maxJobs >= 1 && maxJobs <= 8)) {
    throw new UpstreamError(400, 'Valid range for maxJobs is 1…8.');
  }
}
