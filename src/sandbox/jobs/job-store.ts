import { join } from 'node:path';
import { type JsonFiles, readFolder } from '../storage/json-files.ts';
import { type FinalStatus, isFinal, type Job, type JobResult } from './job.ts';

/** Every job of the sandbox: in memory, on disk, and with its timer. */
export type JobStore = {
  /** Starts the timers of the jobs that were read from the disk. Called once, when everything is ready. */
  start(): void;
  /** Oldest first. */
  list(): Iterable<Job>;
  find(id: string): Job | undefined;
  findByNumber(number: string): Job | undefined;
  /** 15 digits, never used before. */
  nextNumber(): string;
  /** Acquires the slot synchronously. Resolves when the job is durable and its timer runs. */
  add(job: Job): Promise<void>;
  /** Jobs that hold a slot of the account. */
  executing(email: string): Job[];
  /** Every job without a final status, tracked or not. */
  running(): Iterable<Job>;
  /** The largest number of slots that the account used at the same time. */
  highWater(email: string): number;
  untrack(job: Job): Promise<void>;
  finish(job: Job, status: FinalStatus): Promise<void>;
  remove(job: Job): Promise<void>;
  reset(): Promise<void>;
  close(): void;
};

export type JobHooks = {
  /** How long the job stays in its current status; null: for ever. */
  statusDurationMs(job: Job): number | null;
  outcomeOf(job: Job): FinalStatus;
  /** Makes the finished video. An error makes the job FAILED. */
  render(job: Job): Promise<JobResult>;
  onGenerating(job: Job): Promise<void>;
  onFinal(job: Job): Promise<void>;
  refund(job: Job): void;
};

/** Reads the jobs of a folder. Jobs that ran when the process died continue after `start`. */
export async function openJobStore(
  folder: string,
  files: JsonFiles,
  hooks: JobHooks,
): Promise<JobStore> {
  const store = new FileJobStore(folder, files, hooks);
  // Only this store writes into the folder. A file that is not JSON means a damaged disk, and prevents the start.
  const stored = (await readFolder(folder)) as Job[];
  stored.sort((a, b) => a.createdAtMs - b.createdAtMs || Number(a.number) - Number(b.number));
  for (const job of stored) store.register(job);
  return store;
}

class FileJobStore implements JobStore {
  readonly #folder: string;
  readonly #files: JsonFiles;
  readonly #hooks: JobHooks;
  readonly #jobs = new Map<string, Job>();
  readonly #byNumber = new Map<string, Job>();
  readonly #running = new Set<Job>();
  readonly #timers = new Map<Job, NodeJS.Timeout>();
  readonly #finishing = new Set<Job>();
  readonly #highWater = new Map<string, number>();
  #lastNumber = 0;
  #isClosed = false;

  constructor(folder: string, files: JsonFiles, hooks: JobHooks) {
    this.#folder = folder;
    this.#files = files;
    this.#hooks = hooks;
  }

  list = () => this.#jobs.values();
  find = (id: string) => this.#jobs.get(id);
  findByNumber = (number: string) => this.#byNumber.get(number);
  running = () => this.#running.values();
  highWater = (email: string) => this.#highWater.get(email) ?? 0;

  nextNumber(): string {
    // 15 digits, like the documentation's example: "37" and the milliseconds.
    this.#lastNumber = Math.max(this.#lastNumber + 1, 370_000_000_000_000 + Date.now());
    return String(this.#lastNumber);
  }

  executing(email: string): Job[] {
    return [...this.#running].filter((job) => job.isTracked && job.email === email);
  }

  async add(job: Job) {
    this.register(job);
    try {
      await this.#save(job, true);
    } catch (error) {
      this.#forget(job);
      throw error;
    }
    this.#schedule(job);
  }

  start() {
    for (const job of this.#jobs.values()) {
      if (!isFinal(job.status)) this.#schedule(job);
      else if (!job.isAnnounced) this.#runInBackground(this.#announceEnd(job));
    }
  }

  async untrack(job: Job) {
    job.isTracked = false;
    job.isMuted = true;
    await this.#save(job, true);
  }

  async finish(job: Job, status: FinalStatus) {
    if (isFinal(job.status) || this.#finishing.has(job)) return;
    this.#finishing.add(job);
    clearTimeout(this.#timers.get(job));
    try {
      const result = status === 'COMPLETED' ? await this.#render(job) : { status };
      if (this.#isClosed || !this.#jobs.has(job.id)) return;
      const isAnnounced = job.isMuted || job.request.replyUrl === undefined;
      const final = { ...result, changedAtMs: Date.now(), isAnnounced };
      // Durable before it is visible: a client that saw the final status must see it again after a crash.
      await this.#files.save(this.#path(job), { ...job, ...final }, true);
      Object.assign(job, final);
      this.#stop(job);
      if (status === 'MODERATED') this.#hooks.refund(job);
    } finally {
      this.#finishing.delete(job);
    }
    if (!job.isAnnounced) this.#runInBackground(this.#announceEnd(job));
  }

  async remove(job: Job) {
    this.#forget(job);
    await this.#files.remove(this.#path(job));
  }

  async reset() {
    await Promise.all([...this.#jobs.values()].map((job) => this.remove(job)));
    this.#highWater.clear();
  }

  close() {
    this.#isClosed = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  #path = (job: Job) => join(this.#folder, `${job.number}.json`);
  #save = (job: Job, isDurable: boolean) => this.#files.save(this.#path(job), job, isDurable);

  register(job: Job) {
    this.#jobs.set(job.id, job);
    this.#byNumber.set(job.number, job);
    this.#lastNumber = Math.max(this.#lastNumber, Number(job.number));
    if (isFinal(job.status)) return;
    this.#running.add(job);
    const executing = this.executing(job.email).length;
    this.#highWater.set(job.email, Math.max(this.highWater(job.email), executing));
  }

  #stop(job: Job) {
    clearTimeout(this.#timers.get(job));
    this.#timers.delete(job);
    this.#running.delete(job);
  }

  #forget(job: Job) {
    this.#stop(job);
    this.#jobs.delete(job.id);
    this.#byNumber.delete(job.number);
  }

  #schedule(job: Job) {
    const durationMs = this.#hooks.statusDurationMs(job);
    if (durationMs === null || this.#isClosed || !this.#running.has(job)) return;
    const next = () => this.#runInBackground(this.#advance(job));
    const waitMs = Math.max(0, job.changedAtMs + durationMs - Date.now());
    this.#timers.set(job, setTimeout(next, waitMs));
  }

  async #advance(job: Job) {
    if (job.status !== 'QUEUED') return this.finish(job, this.#hooks.outcomeOf(job));
    job.status = 'GENERATING';
    job.changedAtMs = Date.now();
    this.#runInBackground(this.#hooks.onGenerating(job));
    this.#schedule(job);
    // Without fsync: after a crash the job would only be QUEUED a little longer.
    await this.#save(job, false);
  }

  async #render(job: Job): Promise<Partial<Job>> {
    try {
      return { status: 'COMPLETED', result: await this.#hooks.render(job) };
    } catch (error) {
      return { status: 'FAILED', reason: error instanceof Error ? error.message : String(error) };
    }
  }

  async #announceEnd(job: Job) {
    await this.#hooks.onFinal(job);
    if (this.#isClosed || !this.#jobs.has(job.id)) return;
    job.isAnnounced = true;
    await this.#save(job, false);
  }

  /** Only a full or missing disk makes this work fail, and then the next request fails too and reports it. */
  #runInBackground(work: Promise<unknown>) {
    work.catch(() => undefined);
  }
}
