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
// The shortest that pg-boss allows. Delayed and retried jobs can start this much late. A job that is due when it is sent
// does not wait: NOTIFY wakes the worker.
const pollingSeconds = 0.5;
// How often pg-boss searches for jobs of dead instances and for expired jobs. The embedded database has only one instance.
const supervisionSeconds = { embedded: 30, postgres: 2 };
const stopTimeoutMs = 1_500;
// While the database is unavailable, every worker fails twice a second: log that at most this often.
const outageLogIntervalMs = 10_000;
// A running job without a heartbeat for this long, the shortest that pg-boss allows, is taken over by another instance. With
// the interval above that happens within 15 s; pg-boss's default is 15 minutes.
const heartbeatSeconds = 10;

export type QueueOptions = Omit<Queue, 'name' | 'partition'>;
export type JobOptions = Omit<SendOptions, 'db'> & {
  /** Sends the job as part of this transaction: it exists once the transaction commits. */
  tx?: Sql;
};
export type WorkerOptions = Omit<WorkOptions, 'batchSize' | 'perJobResults' | 'transactional'>;

/** A durable job queue in the database: jobs can be delayed, are retried, and are shared by all instances. */
export type Jobs = {
  /** Also creates or updates pg-boss's own tables. */
  start(): Promise<void>;
  /** Waits up to `timeoutMs` (default 1500) for running handlers. Jobs that still run then are retried later. */
  stop(timeoutMs?: number): Promise<void>;
  /** Creates the queue, or updates the options of an existing one, except `policy`, which cannot change. */
  define(queue: string, options?: QueueOptions): Promise<void>;
  /**
   * Runs `handler` for each job of a defined queue. If it throws, the job is retried by the queue's options. A job can run
   * twice: after a crash, if it exceeds `expireInSeconds`, or if it blocks the process for 10 s. On PostgreSQL that counts
   * as one of its retries.
   *
   * `localConcurrency` jobs run at the same time (default 1). Each has its own poller, which queries the database every
   * `pollingIntervalSeconds`.
   */
  work<Data extends object>(
    queue: string,
    handler: (job: Job<Data>) => Promise<void>,
    options?: WorkerOptions,
  ): Promise<void>;
  /** @returns the job's id, or null if `singletonKey` or the queue's policy allows no further job */
  send(queue: string, data: object, options?: JobOptions): Promise<string | null>;
  /** @param cron five fields, in UTC unless `tz` says otherwise */
  schedule(queue: string, cron: string, options?: ScheduleOptions): Promise<void>;
};

/** The adapter by which pg-boss uses our connections instead of opening its own. */
function adaptDatabase(db: Database): Db {
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

/**
 * The embedded database has one process, so a job that is marked as running at startup was interrupted by the last
 * shutdown.
 */
async function requeueInterruptedJobs(db: Database, boss: PgBoss): Promise<void> {
  const jobs = await db.query<{ name: string; id: string }>(
    `select name, id from ${schema}.job where state = 'active'`,
  );
  for (const { name, id } of jobs) {
    await boss.cancel(name, id);
    await boss.resume(name, id).catch((error: unknown) => {
      // In a queue with one waiting job per key, the next job exists already and replaces this one.
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
      db: adaptDatabase(db),
      backend: db.kind === 'embedded' ? 'pglite' : 'postgres',
      schema,
      useListenNotify: true,
      superviseIntervalSeconds: supervisionSeconds[db.kind],
      monitorIntervalSeconds: supervisionSeconds[db.kind],
      // Disables pg-boss's table of instances and their load, which our metrics contain.
      registerInstance: false,
    });
    this.#boss.on('error', (error) => this.#logError(error));
    this.#boss.on('warning', ({ message }) =>
      // Not `data`, which has the values of a slow statement.
      log.warn({ reason: message }, 'pg-boss reports a problem'),
    );
  }

  #logError(error: Error): void {
    if (!isStatementRejected(error)) {
      if (performance.now() - this.#outageLoggedAt < outageLogIntervalMs) return;
      this.#outageLoggedAt = performance.now();
    }
    this.#log.error({ err: error }, 'background jobs cannot continue');
  }

  async start(): Promise<void> {
    await this.#boss.start();
    if (this.#db.kind === 'embedded') await requeueInterruptedJobs(this.#db, this.#boss);
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
    // Updates a queue that an earlier version created with other options.
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
        // With NOTIFY enabled, pg-boss would poll only every 30 s and start delayed jobs that late.
        notifyPollingIntervalSeconds: options.pollingIntervalSeconds ?? pollingSeconds,
        ...options,
        batchSize: 1,
      },
      async (jobs) => {
        // After a job pg-boss sleeps for the rest of the interval, which limits a worker to two jobs per second. Waking it makes
        // it fetch the next waiting job without a pause.
        if (id !== undefined) this.#boss.notifyWorker(id);
        for (const job of jobs) await this.#run(handler, job);
      },
    );
  }

  // pg-boss stores a handler's error in the job's row and does not log it.
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

/** Uses the connections of `db`: stop the jobs before you close the database. */
export function createJobs(db: Database, log: Log): Jobs {
  return new BossJobs(db, log);
}
