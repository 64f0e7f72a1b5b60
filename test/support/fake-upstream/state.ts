import type { Behaviour, FakeAccount } from './behaviour.ts';
import { type Outcome, outcomes, type Post } from './outcomes.ts';
import type { Handler, Reply, Route, SeenRequest } from './routes.ts';

type Gate = Route | `answer to ${Route}`;

/** Not the number in the token: no document says that they are the same. */
const userId = '88041';

const names: Record<JobStatus, string> = {
  1: 'COMPLETED',
  5: 'QUEUED',
  7: 'MODERATED',
  8: 'FAILED',
  9: 'GENERATING',
  10: 'GENERATING',
};
export const finalStatuses = new Set<JobStatus>([1, 7, 8]);

export type Item = {
  id: string;
  email: string;
  status: JobStatus;
  prompt: string;
  createdAt: Date;
  replyUrl: string | null;
  replyRef: string | null;
  isTracked: boolean;
  isOffPeak: boolean;
};

export type NewVideo = Partial<Pick<Item, 'id' | 'prompt' | 'status' | 'createdAt'>>;

export type JobStatus = 1 | 5 | 7 | 8 | 9 | 10;

export type Job = {
  id: string;
  replyRef: string;
  /** The body of the POST that started it. */
  body: Record<string, unknown>;
  /** Whether GET /scheduler lists it. */
  readonly isTracked: boolean;
  readonly status: JobStatus;
  /** Sets the status (upstream.md, section 3) and resolves with the status codes of the answered callbacks. */
  become(status: JobStatus): Promise<number[]>;
};

/** The jobs, videos and accounts of one fake upstream. */
export class UpstreamState {
  readonly behaviour: Behaviour;
  readonly accounts: FakeAccount[];
  readonly requests: SeenRequest[] = [];
  readonly jobs: Job[] = [];
  readonly replies = new Map<Route, (request: SeenRequest) => Reply | null>();
  replyToAll: (call: string) => Reply | null = () => null;
  readonly handlers = new Map<Route, Handler>();
  readonly items: Item[] = [];
  /** The outcomes of the next POSTs of a text. Without one left, a POST is accepted. */
  readonly scripts = new Map<string, Outcome[]>();
  readonly posts: Post[] = [];
  readonly #held = new Map<string, (outcome: Outcome) => void>();
  readonly #now: () => Date;
  readonly #gates = new Map<Gate, Promise<void>>();
  readonly #unclaimed: Job[] = [];
  readonly #claimants: ((job: Job) => void)[] = [];
  origin = '';
  #number = 370_538_497_751_884;
  #createdAt = Date.parse('2026-03-01T08:00:00Z');

  constructor(behaviour: Behaviour, now: () => Date) {
    this.#now = now;
    this.behaviour = behaviour;
    this.accounts = [...behaviour.accounts];
  }

  /** A finished video of that account, as the website creates them, a minute younger than the one before it. */
  addVideo(email: string, video: string | NewVideo): Item {
    this.#createdAt += 61_000;
    const {
      prompt = '',
      status = 1,
      ...given
    } = typeof video === 'string' ? { prompt: video } : video;
    return this.#add({ email, prompt, status, createdAt: new Date(this.#createdAt), ...given });
  }

  /** Removes every job, video and script; accounts and behaviour stay. */
  reset(): void {
    for (const [replyRef] of this.#held) this.answerHeld(replyRef, 'cut');
    for (const list of [this.items, this.jobs, this.requests, this.posts, this.#unclaimed])
      list.length = 0;
    this.scripts.clear();
    this.replies.clear();
    this.handlers.clear();
    this.replyToAll = () => null;
  }

  /** Records a POST with its scripted outcome; without a free slot no job can be created and the outcome is 429. */
  takePost({ prompt, replyRef }: Record<string, unknown>, hasSlot: boolean): Post {
    const scripted = this.scripts.get(String(prompt))?.shift();
    const wanted = scripted ?? (this.behaviour.hidesAnswer ? 'created and 500' : 'accepted');
    const outcome = outcomes[wanted].created && !hasSlot ? '429' : wanted;
    const post = { replyRef: String(replyRef), outcome };
    this.posts.push(post);
    return post;
  }

  /** Resolves once `answerHeld` is called, with the outcome to answer with. */
  holdPost(post: Post): Promise<Outcome> {
    return new Promise((resolve) => {
      this.#held.set(post.replyRef, (outcome) => {
        post.outcome = outcome;
        resolve(outcome);
      });
    });
  }

  isHeld(replyRef: string): boolean {
    return this.#held.has(replyRef);
  }

  answerHeld(replyRef: string, outcome: Outcome): void {
    const answer = this.#held.get(replyRef);
    if (answer === undefined) throw new Error('No such POST is held.');
    this.#held.delete(replyRef);
    answer(outcome);
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
      createdAt: this.#now(),
      replyUrl: typeof body.replyUrl === 'string' ? body.replyUrl : null,
      replyRef: typeof body.replyRef === 'string' ? body.replyRef : null,
      isOffPeak: body.off_peak_mode === true,
      isTracked: body.off_peak_mode !== true,
    });
    const job: Job = {
      id: item.id,
      replyRef: item.replyRef ?? '',
      body,
      get isTracked() {
        return item.isTracked;
      },
      get status() {
        return item.status;
      },
      become: async (status) => {
        item.status = status;
        if (finalStatuses.has(status)) item.isTracked = false;
        return this.#callBack(item);
      },
    };
    this.jobs.push(job);
    if (this.behaviour.callsBeforeAnswer) await this.#callBack(item);
    const claimant = this.#claimants.shift();
    if (claimant === undefined) this.#unclaimed.push(job);
    else claimant(job);
    return job;
  }

  nextJob(): Promise<Job> {
    const job = this.#unclaimed.shift();
    return job === undefined
      ? new Promise((resolve) => this.#claimants.push(resolve))
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
    const times = { none: 0, once: 1, twice: 2 }[this.behaviour.callbacks];
    if (item.replyUrl === null) return [];
    const { replyRef } = item;
    const body = {
      ...this.describe(item),
      ...(this.behaviour.nestsReplyRef ? { response: { replyRef } } : { replyRef }),
    };
    const statuses: number[] = [];
    for (let time = 0; time < times; time += 1) {
      const response = await fetch(item.replyUrl, {
        method: 'POST',
        headers: { 'content-type': this.behaviour.callbackType },
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
    if (this.behaviour.bareNumbers === 'in lists') fields.video_id = numberOf(item.id);
    for (const name of this.behaviour.omitsInList) delete fields[name];
    return fields;
  }

  /** The answer of GET one. */
  describe(item: Item): Record<string, unknown> {
    const isDone = item.status === 1;
    const number = (value: number) =>
      this.behaviour.writesNumbersAsStrings ? String(value) : value;
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
      ...(this.behaviour.listsReplyRef && item.replyRef !== null
        ? { replyRef: item.replyRef }
        : {}),
    };
    for (const name of this.behaviour.omits) delete fields[name];
    return this.#extend(fields);
  }

  #extend(fields: Record<string, unknown>): Record<string, unknown> {
    if (!this.behaviour.addsFields) return fields;
    return {
      ...fields,
      moods: ['calm', null, { tempo: 0.25 }],
      'x-trace': 'b7',
      schema_version: 9,
    };
  }
}

/** The number at the end of an id. */
export function numberOf(id: string): number {
  return Number(id.split(':').at(-1));
}
