import type { Database } from '../../../../src/database/connect.ts';
import type { Jobs } from '../../../../src/database/jobs.ts';
import {
  type CreateDependencies,
  withAdmission,
} from '../../../../src/domains/lipsyncs/create/dependencies.ts';
import type { LipsyncDependencies } from '../../../../src/domains/lipsyncs/dependencies.ts';
import type { LogWatcher } from '../../../../src/domains/lipsyncs/progress/log-watcher.ts';
import type { Services } from '../../../../src/graphql/context.ts';
import { noMeter } from '../../../../src/metrics/meter.ts';
import { noTracer } from '../../../../src/tracing/tracer.ts';
import { createUpstream } from '../../../../src/upstream/client.ts';
import { silentLog } from '../../../support/database.ts';
import { type Instance, leaseMs, maxJobMs } from './plain-model.ts';

/** A process of the slice. After its death none of its calls succeed. */
export type RealInstance = Instance & {
  deps: LipsyncDependencies;
  creating: CreateDependencies;
  stopping: AbortController;
};

/** Wraps every call of an instance to the outside. */
export type Wrap = (
  isAlive: () => boolean,
) => <A extends unknown[], T>(work: (...args: A) => Promise<T>) => (...args: A) => Promise<T>;

export function createInstance(parts: {
  services: Services;
  db: Database;
  jobs: Jobs;
  upstream: { baseUrl: string; token: string };
  now: () => Date;
  wrap: Wrap;
  watcher: LogWatcher;
}): RealInstance {
  const { services, db, jobs, now } = parts;
  const { videos, accounts } = services;
  const stopping = new AbortController();
  const state = { isAlive: true, isCurrent: true };
  const counted = parts.wrap(() => state.isAlive);
  const timeoutMs = leaseMs - 10_000;
  const upstream = createUpstream({ ...parts.upstream, timeoutMs, log: silentLog });
  upstream.read = counted(upstream.read.bind(upstream)) as typeof upstream.read;
  upstream.write = counted(upstream.write.bind(upstream));
  const { toKey, toUpstream } = videos.ids;
  const deps: LipsyncDependencies = {
    ...services,
    db: {
      kind: db.kind,
      query: counted(db.query.bind(db)) as Database['query'],
      transaction: counted(db.transaction.bind(db)) as Database['transaction'],
      listen: db.listen.bind(db),
      ping: db.ping.bind(db),
      countConnections: db.countConnections.bind(db),
      close: db.close.bind(db),
    },
    jobs,
    upstream,
    accounts: {
      ...accounts,
      listPresent: counted(accounts.listPresent),
      guardCredits: counted(accounts.guardCredits),
    },
    videos: {
      ...videos,
      ids: { ...videos.ids, toKey: counted(toKey), toUpstream: counted(toUpstream) },
      readPage: counted(videos.readPage),
      readOne: counted(videos.readOne),
      resolveSource: counted(videos.resolveSource),
    },
    log: silentLog,
    meter: noMeter,
    tracer: noTracer,
    now,
    callbackUrl: (id) => `http://127.0.0.1:9/callbacks/${id}`,
    creditPrices: [],
    limits: { perDay: null, inFlight: null, queue: 1_000 },
    timing: {
      pollMs: 3_600_000,
      upstreamTimeoutMs: timeoutMs,
      maxUnknownMs: maxJobMs,
      maxJobMs,
      defaultJobMs: 90_000,
    },
    submissions: new Map(),
    stopping: stopping.signal,
  };
  // The commands of a history say when waiting lip-syncs are sent.
  const creating = withAdmission(deps, { watcher: parts.watcher, onQueued: () => undefined });
  return Object.assign(state, { stopping, deps, creating });
}
