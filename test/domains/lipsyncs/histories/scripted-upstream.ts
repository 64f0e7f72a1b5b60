import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type JobState = 'QUEUED' | 'GENERATING' | 'COMPLETED' | 'FAILED' | 'MODERATED';

/** The outcomes of a POST. `made`: a job was created, regardless of the answer. */
export const outcomes = {
  accepted: { made: true },
  'made and cut': { made: true },
  'made and 500': { made: true },
  'made without an id': { made: true },
  'made and hung': { made: true },
  cut: { made: false },
  '500': { made: false },
  hung: { made: false },
  '429': { made: false },
  '400': { made: false },
  '422': { made: false },
} as const;
export type Outcome = keyof typeof outcomes;

export type ScriptedJob = {
  id: string;
  replyRef: string;
  state: JobState;
  isTracked: boolean;
  createdAt: Date;
};

export type Post = { replyRef: string; outcome: Outcome };

export const email = 'model@example.com';
export const sourceId = `user:7-pixverse:${email}-video:1`;
export const maxJobs = 2;

const codes: Record<JobState, number> = {
  COMPLETED: 1,
  QUEUED: 5,
  MODERATED: 7,
  FAILED: 8,
  GENERATING: 10,
};

const isFinal = (state: JobState) => state !== 'QUEUED' && state !== 'GENERATING';

type Held = { post: Post; job: ScriptedJob | null; response: ServerResponse };

/** An upstream with one account in which only the commands of a history change anything. */
export class ScriptedUpstream {
  readonly posts: Post[] = [];
  readonly jobs = new Map<string, ScriptedJob>();
  /** The outcomes of the next POSTs with a text; after the last one, POSTs are accepted. */
  readonly scripts = new Map<string, Outcome[]>();
  readonly #held = new Map<string, Held>();
  readonly #server = createServer((request, response) => void this.#answer(request, response));
  readonly #now: () => Date;
  showsRefsInScheduler = true;
  showsRefsInLists = false;
  #lastNumber = 1;
  baseUrl = '';

  constructor(now: () => Date) {
    this.#now = now;
  }

  async open(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.baseUrl = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v2/pixverse`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  reset(): void {
    for (const { response } of this.#held.values()) response.destroy();
    this.#held.clear();
    this.posts.length = 0;
    this.jobs.clear();
    this.scripts.clear();
  }

  isHeld(replyRef: string): boolean {
    return this.#held.has(replyRef);
  }

  completeAll(): void {
    for (const job of this.jobs.values()) if (!isFinal(job.state)) job.state = 'COMPLETED';
  }

  /** Answers a hanging POST. The outcome cannot remove a job. */
  release(replyRef: string, outcome: Outcome): void {
    const held = this.#held.get(replyRef);
    if (held === undefined) throw new Error('No such POST hangs.');
    this.#held.delete(replyRef);
    held.post.outcome = outcome;
    this.#reply(held, outcome);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const path = (request.url ?? '').replace('/v2/pixverse', '').split('?')[0] ?? '';
    const asked = `${request.method} ${path.replace(/\/$/, '')}`;
    if (asked === 'POST /videos/lipsync') {
      this.#take(JSON.parse(String(Buffer.concat(chunks))) as Record<string, string>, response);
      return;
    }
    const found = this.#find(asked);
    if (found === undefined) sendJson(response, 404, { error: 'Not found' });
    else sendJson(response, found === null ? 204 : 200, found);
  }

  /** Undefined = 404, null = 204. */
  #find(asked: string): unknown {
    const jobs = [...this.jobs.values()];
    const lists: Record<string, () => unknown> = {
      'GET /accounts': () => ({ [email]: { email, maxJobs } }),
      'GET /features': () => ({ credit_monthly: 100 }),
      'GET /videos': () => ({
        data: [source, ...jobs.map((job) => this.#describe(job))].reverse(),
      }),
      'GET /scheduler': () => this.#scheduled(jobs),
      [`GET /videos/${sourceId}`]: () => source,
    };
    const list = lists[asked];
    return list === undefined ? this.#findOne(asked) : list();
  }

  #findOne(asked: string): unknown {
    const [, verb, id] = /^(GET \/videos|DELETE \/scheduler)\/([^/]+)$/.exec(asked) ?? [];
    const job = [...this.jobs.values()].find((each) => each.id === id);
    if (job === undefined) return undefined;
    if (verb === 'GET /videos') return isFinal(job.state) ? this.#describe(job) : undefined;
    if (!job.isTracked) return undefined;
    job.isTracked = false;
    return null;
  }

  #take(body: Record<string, string>, response: ServerResponse): void {
    const { prompt = '', replyRef = '' } = body;
    const wanted = this.scripts.get(prompt)?.shift() ?? 'accepted';
    const running = [...this.jobs.values()].filter((job) => job.isTracked && !isFinal(job.state));
    const outcome = outcomes[wanted].made && running.length >= maxJobs ? '429' : wanted;
    const post = { replyRef, outcome };
    this.posts.push(post);
    const job = outcomes[outcome].made ? this.#make(replyRef) : null;
    const held = { post, job, response };
    if (outcome.endsWith('hung')) this.#held.set(replyRef, held);
    else this.#reply(held, outcome);
  }

  #make(replyRef: string): ScriptedJob {
    this.#lastNumber += 1;
    const id = sourceId.replace(/\d+$/, String(this.#lastNumber));
    const job: ScriptedJob = {
      id,
      replyRef,
      state: 'QUEUED',
      isTracked: true,
      createdAt: this.#now(),
    };
    this.jobs.set(replyRef, job);
    return job;
  }

  #reply({ job, response }: Held, outcome: Outcome): void {
    const status = Number(/\d+$/.exec(outcome)?.[0] ?? 200);
    if (outcome.endsWith('cut')) response.destroy();
    else if (outcome === 'accepted') sendJson(response, 200, { video_id: job?.id });
    else sendJson(response, status, status === 200 ? {} : { error: 'No.' });
  }

  #describe({ id, state, createdAt, replyRef }: ScriptedJob) {
    return {
      video_id: id,
      video_status: codes[state],
      video_status_name: state,
      url: state === 'COMPLETED' ? `http://127.0.0.1:9/${id.split(':').at(-1)}.mp4` : '',
      created_at: createdAt.toISOString(),
      ...(this.showsRefsInLists ? { replyRef } : {}),
    };
  }

  #scheduled(jobs: ScriptedJob[]) {
    return jobs
      .filter(({ isTracked, state }) => isTracked && !isFinal(state))
      .map(({ id, replyRef }) => ({ id, ...(this.showsRefsInScheduler ? { replyRef } : {}) }));
  }
}

const source = {
  video_id: sourceId,
  video_status: 1,
  video_status_name: 'COMPLETED',
  url: 'http://127.0.0.1:9/source.mp4',
  created_at: '2026-01-01T00:00:00Z',
};

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(status === 204 ? undefined : JSON.stringify(body));
}
