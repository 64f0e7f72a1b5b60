import { join } from 'node:path';
import { type Disk, readFolder } from '../storage/json-files.ts';
import { type FinalStatus, isFinal, type Job, type JobResult } from './job.ts';

export type JobBoard = {
  /** Lets the clocks of the jobs run that were read from the disk. Once, when all else is ready. */
  start(): void;
  /** Oldest first. */
  list(): Iterable<Job>;
  find(id: string): Job | undefined;
  findByNumber(number: string): Job | undefined;
  /** A new number: 15 digits, never used before. */
  nextNumber(): string;
  /** Takes the slot at once; resolves when the job is on the disk and its clock runs. */
  add(job: Job): Promise<void>;
  /** Those that use a slot of the account now. */
  executing(email: string): Job[];
  /** Every job that has not ended, tracked or not. */
  running(): Iterable<Job>;
  /** The most slots the account used at one moment. */
  highWater(email: string): number;
  untrack(job: Job): Promise<void>;
  finish(job: Job, status: FinalStatus): Promise<void>;
  remove(job: Job): Promise<void>;
  reset(): Promise<void>;
  close(): void;
};

export type JobHooks = {
  /** How long it stays in its present status; null is for ever. */
  staysMs(job: Job): number | null;
  outcomeOf(job: Job): FinalStatus;
  /** Makes the finished video. What it throws makes the job FAILED. */
  produce(job: Job): Promise<JobResult>;
  generating(job: Job): Promise<void>;
  ended(job: Job): Promise<void>;
  refund(job: Job): void;
};

/** Reads the jobs of a folder. Those that ran when the process died go on, and end, after `start`. */
export async function openJobs(folder: string, disk: Disk, hooks: JobHooks): Promise<JobBoard> {
  const board = new Board(folder, disk, hooks);
  // The folder is our own writing; a file that is not JSON is a damaged disk and stops the start.
  const stored = (await readFolder(folder)) as Job[];
  stored.sort((a, b) => a.createdAtMs - b.createdAtMs || Number(a.number) - Number(b.number));
  for (const job of stored) board.register(job);
  return board;
}

class Board implements JobBoard {
  readonly #folder: string;
  readonly #disk: Disk;
  readonly #hooks: JobHooks;
  readonly #jobs = new Map<string, Job>();
  readonly #byNumber = new Map<string, Job>();
  readonly #running = new Set<Job>();
  readonly #timers = new Map<Job, NodeJS.Timeout>();
  readonly #ending = new Set<Job>();
  readonly #highWater = new Map<string, number>();
  #lastNumber = 0;
  #isClosed = false;

  constructor(folder: string, disk: Disk, hooks: JobHooks) {
    this.#folder = folder;
    this.#disk = disk;
    this.#hooks = hooks;
  }

  list = () => this.#jobs.values();
  find = (id: string) => this.#jobs.get(id);
  findByNumber = (number: string) => this.#byNumber.get(number);
  running = () => this.#running.values();
  highWater = (email: string) => this.#highWater.get(email) ?? 0;

  nextNumber(): string {
    // "37" and the milliseconds: 15 digits, like the documentation's example.
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
      else if (!job.isAnnounced) this.#background(this.#announceEnd(job));
    }
  }

  async untrack(job: Job) {
    job.isTracked = false;
    job.isMuted = true;
    await this.#save(job, true);
  }

  async finish(job: Job, status: FinalStatus) {
    if (isFinal(job.status) || this.#ending.has(job)) return;
    this.#ending.add(job);
    clearTimeout(this.#timers.get(job));
    try {
      const end = status === 'COMPLETED' ? await this.#complete(job) : { status };
      if (this.#isClosed || !this.#jobs.has(job.id)) return;
      const isAnnounced = job.isMuted || job.request.replyUrl === undefined;
      const ended = { ...end, changedAtMs: Date.now(), isAnnounced };
      // On the disk first: whoever has seen the end must find it again after a crash.
      await this.#disk.save(this.#path(job), { ...job, ...ended }, true);
      Object.assign(job, ended);
      this.#stop(job);
      if (status === 'MODERATED') this.#hooks.refund(job);
    } finally {
      this.#ending.delete(job);
    }
    if (!job.isAnnounced) this.#background(this.#announceEnd(job));
  }

  async remove(job: Job) {
    this.#forget(job);
    await this.#disk.remove(this.#path(job));
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
  #save = (job: Job, isDurable: boolean) => this.#disk.save(this.#path(job), job, isDurable);

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
    const staysMs = this.#hooks.staysMs(job);
    if (staysMs === null || this.#isClosed || !this.#running.has(job)) return;
    const next = () => this.#background(this.#advance(job));
    const waitMs = Math.max(0, job.changedAtMs + staysMs - Date.now());
    this.#timers.set(job, setTimeout(next, waitMs));
  }

  async #advance(job: Job) {
    if (job.status !== 'QUEUED') return this.finish(job, this.#hooks.outcomeOf(job));
    job.status = 'GENERATING';
    job.changedAtMs = Date.now();
    this.#background(this.#hooks.generating(job));
    this.#schedule(job);
    // Not waited for by the disk: after a crash it would merely be QUEUED a little longer.
    await this.#save(job, false);
  }

  async #complete(job: Job): Promise<Partial<Job>> {
    try {
      return { status: 'COMPLETED', result: await this.#hooks.produce(job) };
    } catch (error) {
      return { status: 'FAILED', reason: error instanceof Error ? error.message : String(error) };
    }
  }

  async #announceEnd(job: Job) {
    await this.#hooks.ended(job);
    if (this.#isClosed || !this.#jobs.has(job.id)) return;
    job.isAnnounced = true;
    await this.#save(job, false);
  }

  /** Work nobody waits for. Only a full or vanished disk makes it fail, and then the next request says so. */
  #background(work: Promise<unknown>) {
    work.catch(() => undefined);
  }
}
