import {
  type Db,
  type Job,
  PgBoss,
  type Queue,
  type ScheduleOptions,
  type SendOptions,
  type WorkOptions,
} from 'pg-boss';
import type { Log } from '../log.ts';
import { isStatementRejected, isUniqueViolation } from './failures.ts';
import type { Database, Sql } from './sql.ts';

export type { Job } from 'pg-boss';

const schema = 'pgboss';
// The shortest that pg-boss allows. Jobs that are due when they are sent do not wait for it: NOTIFY wakes the worker. It is
// what delayed and retried jobs may be late by.
const pollingSeconds = 0.5;
// How often jobs of dead instances, and those that outlived their time, are looked for. The embedded database has one instance.
const supervisionSeconds = { embedded: 30, postgres: 2 };
const stopTimeoutMs = 1_500;
// While the database is away, every worker fails twice a second.
const outageLogMs = 10_000;
// Without a sign of life for this long, the shortest that pg-boss allows, a running job is another instance's: with the
// interval above it has it within 15 s. pg-boss itself would wait for 15 minutes.
const heartbeatSeconds = 10;

export type QueueOptions = Omit<Queue, 'name' | 'partition'>;
export type JobOptions = Omit<SendOptions, 'db'> & {
  /** Sends as part of this transaction: the job exists if, and from the moment that, it commits. */
  tx?: Sql;
};
export type WorkerOptions = Omit<WorkOptions, 'batchSize' | 'perJobResults' | 'transactional'>;

/** Background work that outlives the process: delayed, retried, and shared by all instances on one database. */
export type Jobs = {
  /** Creates or updates pg-boss's own tables on the way. */
  start(): Promise<void>;
  /** Waits for running handlers, at most `timeoutMs` (default 1500); what still runs then is retried later. */
  stop(timeoutMs?: number): Promise<void>;
  /** Creates the queue, or brings an existing one to these options (but for `policy`, which stays). */
  define(queue: string, options?: QueueOptions): Promise<void>;
  /**
   * Runs `handler` for each job of a defined queue; when it throws, the job is retried as the queue says. A job may run twice
   * (after a crash, or when it outlives `expireInSeconds`, or blocks the process for 10 s); on PostgreSQL that counts as one
   * of its retries.
   *
   * `localConcurrency` jobs run at once (default 1), and as many pollers ask the database every `pollingIntervalSeconds`.
   */
  work<Data extends object>(
    queue: string,
    handler: (job: Job<Data>) => Promise<void>,
    options?: WorkerOptions,
  ): Promise<void>;
  /** Resolves to the job's id, or to null where `singletonKey` or the queue's policy says that there is one already. */
  send(queue: string, data: object, options?: JobOptions): Promise<string | null>;
  /** @param cron five fields, in UTC unless `tz` says otherwise */
  schedule(queue: string, cron: string, options?: ScheduleOptions): Promise<void>;
};

/** How pg-boss reaches us: through our own connections, so that it needs none of its own. */
function throughDatabase(db: Database): Db {
  return {
    async executeSql(text, values) {
      return { rows: await db.query(text, values) };
    },
    async listen(channel, onMessage, onReconnected) {
      const close = await db.listen(channel, { onMessage, onReconnected });
      onReconnected();
      return { close };
    },
  };
}

/** The embedded database has no other process: what is marked as running there was cut off by the end of the last one. */
async function releaseCutOffJobs(db: Database, boss: PgBoss): Promise<void> {
  const jobs = await db.query<{ name: string; id: string }>(
    `select name, id from ${schema}.job where state = 'active'`,
  );
  for (const { name, id } of jobs) {
    await boss.cancel(name, id);
    await boss.resume(name, id).catch((error: unknown) => {
      // A queue that keeps one waiting job per key has the next one already: that does the work.
      if (!isUniqueViolation(error)) throw error;
    });
  }
}

class BossJobs implements Jobs {
  readonly #db: Database;
  readonly #log: Log;
  readonly #boss: PgBoss;
  #outageLoggedAt = Number.NEGATIVE_INFINITY;

  constructor(db: Database, log: Log) {
    this.#db = db;
    this.#log = log;
    this.#boss = new PgBoss({
      db: throughDatabase(db),
      backend: db.kind === 'embedded' ? 'pglite' : 'postgres',
      schema,
      useListenNotify: true,
      superviseIntervalSeconds: supervisionSeconds[db.kind],
      monitorIntervalSeconds: supervisionSeconds[db.kind],
      // A table of instances with the load of their machines: our metrics tell that.
      registerInstance: false,
    });
    this.#boss.on('error', (error) => this.#logError(error));
    this.#boss.on('warning', (warning) => log.warn(warning, 'background work is not well'));
  }

  #logError(error: Error): void {
    if (!isStatementRejected(error)) {
      if (performance.now() - this.#outageLoggedAt < outageLogMs) return;
      this.#outageLoggedAt = performance.now();
    }
    this.#log.error({ err: error }, 'background work cannot go on');
  }

  async start(): Promise<void> {
    await this.#boss.start();
    if (this.#db.kind === 'embedded') await releaseCutOffJobs(this.#db, this.#boss);
  }

  async stop(timeoutMs = stopTimeoutMs): Promise<void> {
    await this.#boss.stop({ graceful: true, timeout: timeoutMs, close: false });
  }

  async define(queue: string, options: QueueOptions = {}): Promise<void> {
    const { policy, ...changeable } = { notify: true, heartbeatSeconds, ...options };
    await this.#boss.createQueue(
      queue,
      policy === undefined ? changeable : { policy, ...changeable },
    );
    // For a queue that exists from an earlier start, with other options.
    await this.#boss.updateQueue(queue, changeable);
  }

  async work<Data extends object>(
    queue: string,
    handler: (job: Job<Data>) => Promise<void>,
    options: WorkerOptions = {},
  ): Promise<void> {
    const { localConcurrency = 1, ...own } = options;
    for (let started = 0; started < localConcurrency; started += 1) {
      await this.#addWorker(queue, handler, own);
    }
  }

  async #addWorker<Data extends object>(
    queue: string,
    handler: (job: Job<Data>) => Promise<void>,
    options: WorkerOptions,
  ): Promise<void> {
    let id: string | undefined;
    id = await this.#boss.work<Data>(
      queue,
      {
        pollingIntervalSeconds: pollingSeconds,
        // While NOTIFY works, pg-boss would ask every 30 s only, and find delayed jobs that late.
        notifyPollingIntervalSeconds: options.pollingIntervalSeconds ?? pollingSeconds,
        ...options,
        batchSize: 1,
      },
      async (jobs) => {
        // After a job pg-boss pauses for the rest of the interval: two jobs a second, however many wait. Where there was one
        // there may be more, so it is told to look again at once.
        if (id !== undefined) this.#boss.notifyWorker(id);
        for (const job of jobs) await this.#run(handler, job);
      },
    );
  }

  // pg-boss keeps what a handler threw in the job's row and tells nobody.
  async #run<Data>(handler: (job: Job<Data>) => Promise<void>, job: Job<Data>): Promise<void> {
    try {
      await handler(job);
    } catch (error) {
      this.#log.warn({ err: error, queue: job.name, jobId: job.id }, 'a job failed');
      throw error;
    }
  }

  async send(queue: string, data: object, options: JobOptions = {}): Promise<string | null> {
    const { tx, ...own } = options;
    if (tx === undefined) return await this.#boss.send(queue, data, own);
    const db: Db = {
      executeSql: async (text, values) => ({ rows: await tx.query(text, values) }),
    };
    return await this.#boss.send(queue, data, { ...own, db });
  }

  async schedule(queue: string, cron: string, options: ScheduleOptions = {}): Promise<void> {
    await this.#boss.schedule(queue, cron, null, options);
  }
}

/** Works through `db`, which must outlive it: stop first, then close the database. */
export function createJobs(db: Database, log: Log): Jobs {
  return new BossJobs(db, log);
}
