import { resultTokens, signToken, uploadTokens } from './callbacks/token.ts';
import type { Config } from './config.ts';
import type { Database } from './database/connect.ts';
import type { Jobs } from './database/jobs.ts';
import { type AccountServiceOptions, createAccountService } from './domains/accounts/service.ts';
import { createLipsyncService, type LipsyncOptions } from './domains/lipsyncs/service.ts';
import { createOwnerService, type EraseStep } from './domains/owners/service.ts';
import { createQuotaService } from './domains/quotas/service.ts';
import { createUploadService, type ImportLimits } from './domains/uploads/service.ts';
import { createVideoService } from './domains/videos/service.ts';
import { createVoiceService } from './domains/voices/service.ts';
import { createWebhookService } from './domains/webhooks/service.ts';
import type { Services } from './graphql/context.ts';
import { encodeId } from './graphql/ids.ts';
import type { Log } from './log.ts';
import type { Meter } from './metrics/meter.ts';
import { createOutbound } from './outbound/outbound.ts';
import type { Tracer } from './tracing/tracer.ts';
import type { createUpstream } from './upstream/client.ts';
import { Freshness } from './upstream/freshness.ts';

declare module './graphql/context.ts' {
  interface Services {
    freshness: Freshness;
  }
}

/** What the services are built from. */
export type ServiceParts = {
  config: Config;
  log: Log;
  meter: Meter;
  tracer: Tracer;
  now: () => Date;
  db: Database;
  jobs: Jobs;
  upstream: ReturnType<typeof createUpstream>;
  secrets: readonly string[];
  address: { publicUrl: string };
  intervals?: LipsyncOptions['intervals'];
  importWaits?: Pick<ImportLimits, 'idleMs' | 'retryMs' | 'maxOpen'> | undefined;
  creditWaitMs?: AccountServiceOptions['creditWaitMs'];
};

/** Creates the service of each slice, in the order of their dependencies. */
export async function createServices(parts: ServiceParts): Promise<Services> {
  const { config, log, meter, tracer, now, db, jobs, upstream, secrets, address } = parts;
  const freshness = new Freshness({ readFreshMs: config.timing.readFreshMs, now, log });
  const shared = { db, upstream, now, log, freshness };
  const accounts = createAccountService({ ...shared, creditWaitMs: parts.creditWaitMs });
  await accounts.receiveChanges();
  const publicUrl = () => address.publicUrl;
  const videos = createVideoService({
    ...{ ...shared, accounts, publicUrl },
    resultTokens: config.server.permanentUrls ? resultTokens(secrets) : null,
  });
  const voices = createVoiceService({ ...shared, accounts });
  const outbound = createOutbound({ allowedNetworks: config.outboundAllowedNetworks });
  const uploads = createUploadService({
    ...shared,
    ...{ jobs, outbound, meter, tracer, imports: { ...config.imports, ...parts.importWaits } },
    accounts,
    publicUrl,
    tokens: uploadTokens(secrets),
  });
  const webhooks = createWebhookService({
    ...{ db, now, log, meter, tracer, secrets },
    outbound,
    publicId: encodeId,
  });
  const lipsyncs = await createLipsyncService({
    ...{ ...shared, meter, tracer },
    jobs,
    webhooks,
    accounts,
    videos,
    voices,
    uploads,
    callbackUrl: (id) =>
      `${publicUrl()}/callbacks/${signToken(secrets, { purpose: 'callback', id })}`,
    limits: {
      perDay: config.limits.lipsyncsPerDay,
      inFlight: config.limits.lipsyncsInFlight,
      queue: config.limits.queueLimit,
    },
    creditPrices: config.creditPrices ?? [],
    timing: {
      pollMs: config.timing.pollIntervalMs,
      upstreamTimeoutMs: config.upstream.timeoutMs,
      maxUnknownMs: config.timing.maxUnknownMs,
      maxJobMs: config.timing.maxJobMs,
      defaultJobMs: config.mode === 'sandbox' ? sandboxGuessMs : liveGuessMs,
    },
    intervals: parts.intervals,
  });
  const quotas = await createQuotaService({
    ...{ db, now, log },
    limits: { costPerMinute: config.limits.costPerMinute, streams: config.limits.streamsPerCaller },
  });
  const owners = createOwners(parts, { lipsyncs, uploads, webhooks, quotas });
  const slices = { accounts, videos, voices, uploads, webhooks, lipsyncs, quotas, owners };
  return { freshness, ...slices };
}

/** Each slice erases its own data of an owner. */
function createOwners(
  { db, jobs, now }: ServiceParts,
  { lipsyncs, uploads, webhooks, quotas }: ErasingSlices,
) {
  const steps: EraseStep[] = [
    async (tx, owner, limit) => ({ webhooks: await webhooks.eraseDeliveriesOf(tx, owner, limit) }),
    lipsyncs.eraseBatchOf,
    lipsyncs.eraseRecordsOf,
    async (tx, owner, limit) => ({ uploads: await uploads.eraseBatchOf(tx, owner, limit) }),
    async (tx, owner) => ({ webhookSecrets: await webhooks.eraseSecretsOf(tx, owner) }),
    async (tx, owner) => ({ usageRecords: await quotas.eraseOf(tx, owner) }),
  ];
  return createOwnerService({ db, jobs, now, cancelAllOf: lipsyncs.cancelAllOf, steps });
}

type ErasingSlices = Pick<Services, 'lipsyncs' | 'uploads' | 'webhooks' | 'quotas'>;

/** Users of the upstream report one to two minutes a job. An assumption: estimates use past jobs as soon as there are some. */
const liveGuessMs = 90_000;

/** By default a job of the sandbox waits one second and generates for four. */
const sandboxGuessMs = 5_000;
