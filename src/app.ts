import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createCallbackDoor } from './callbacks/route.ts';
import { readCallbackSecrets } from './callbacks/secrets.ts';
import { signToken, uploadTokens } from './callbacks/token.ts';
import { type Config, parseApiKeyFile, publicUrlAt } from './config.ts';
import { connectDatabase, type Database } from './database/connect.ts';
import { createJobs, type Jobs } from './database/jobs.ts';
import { migrate } from './database/migrate.ts';
import { createAccountService } from './domains/accounts/service.ts';
import { createLipsyncService, eraseVideoUrls } from './domains/lipsyncs/service.ts';
import { createQuotaService } from './domains/quotas/service.ts';
import { createUploadService } from './domains/uploads/service.ts';
import { createVideoService } from './domains/videos/service.ts';
import { createVoiceService } from './domains/voices/service.ts';
import { createWebhookService } from './domains/webhooks/service.ts';
import { Failure } from './errors.ts';
import type { Services } from './graphql/context.ts';
import { encodeId } from './graphql/ids.ts';
import type { Log } from './log.ts';
import { startRetention } from './retention.ts';
import { schema } from './schema.ts';
import { type KeyFile, openKeyFile } from './server/auth/api-key-file.ts';
import { createAuthenticator } from './server/auth/authenticate.ts';
import { createContextFactory } from './server/auth/context.ts';
import { createSessions } from './server/auth/sessions.ts';
import { createMetrics } from './server/http/metrics.ts';
import { createHttpServer } from './server/http/server.ts';
import { endConnections } from './server/http/shutdown.ts';
import type { Patience } from './server/http/timeouts.ts';
import { createUploadDoor } from './server/http/uploads.ts';
import { createGraphQL } from './server/operation/pipeline.ts';
import type { TrustedDocuments } from './server/operation/trusted-documents.ts';
import { createSubscriptionCallbacks } from './server/sse/router-callbacks.ts';
import { createEventStreams } from './server/sse/streams.ts';
import { openWebSocketDoor } from './server/websocket/server.ts';
import { createUpstream } from './upstream/client.ts';

export type AppOptions = {
  config: Config;
  log: Log;
  /** The upstream to speak to. Asked for once the database is ours: the sandbox keeps its files beside it. */
  openUpstream: () => Promise<{ baseUrl: string; token: string }>;
  /** The configured database, where it is being opened already. */
  database?: Promise<Database>;
  /** The clock, for tests. */
  now?: () => Date;
  /** How often a quiet connection gives a sign of life, for tests. */
  heartbeatMs?: number | undefined;
  /** How long slow clients are waited for, for tests. */
  patience?: Patience;
};

export type App = Awaited<ReturnType<typeof startApp>>;

/** Puts the parts together and listens. Main and every test start here. */
export async function startApp(options: AppOptions) {
  const { config, log, openUpstream, database, heartbeatMs, now = () => new Date() } = options;
  const keyFile = await openConfiguredKeyFile({ config, now, log });
  const db = await (database ?? connectDatabase({ ...config.database, log }));
  await migrate(db);
  const jobs = createJobs(db, log);
  const [upstreamAt, secrets] = await Promise.all([
    openUpstream(),
    readCallbackSecrets(db, config.callbackSecrets),
    jobs.start(),
  ]);
  const { timeoutMs } = config.upstream;
  const upstream = createUpstream({ ...upstreamAt, timeoutMs, log });
  // Known once we listen: with PORT=0 the port is the system's choice.
  const address = { publicUrl: config.server.publicUrl ?? '' };
  const documents = config.server.trustedDocuments;
  const trustedDocuments = documents === null ? null : new Map(Object.entries(documents));
  const read = { secrets, trustedDocuments, keyFile };
  const { patience } = options;
  const connections = { heartbeatMs, patience };
  const parts = { config, log, now, db, jobs, upstream, address, ...connections, ...read };
  const services = await createServices(parts);
  const doors = createDoors(parts, services);

  // Before the first request: an end that nobody could be told of would be rolled back.
  await services.webhooks.start();
  const port = await listen(doors.server, config.server);
  address.publicUrl = config.server.publicUrl ?? publicUrlAt(config.server.host, port);
  const accountsRead = readAccounts(parts, services);
  await services.lipsyncs.start();
  await startRetention({ jobs, now, db, retentionDays: config.timing.retentionDays }, services);

  async function close(): Promise<void> {
    await doors.close(() => services.lipsyncs.drain());
    await services.webhooks.stop();
    await jobs.stop();
    await services.lipsyncs.close();
    await services.quotas.stop();
    await upstream.close();
    await accountsRead;
    await db.close();
  }
  let closing: Promise<void> | null = null;
  return {
    url: publicUrlAt(config.server.host, port),
    services,
    db,
    /** Drains: no new work, POSTs under way finished, streams told to come back. */
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

/** So that nobody waits for them later, and a token that is refused is told at the start and not by the first caller. */
async function readAccounts({ log }: Parts, { accounts }: Services): Promise<void> {
  try {
    await accounts.listPresent();
  } catch (thrown) {
    if (thrown instanceof Failure) {
      log.warn({ code: thrown.code }, `Nothing can be made now. ${thrown.message}`);
    } else {
      log.error({ err: thrown }, 'the accounts could not be read at the start');
    }
  }
}

async function openConfiguredKeyFile({ config, now, log }: Pick<Parts, 'config' | 'now' | 'log'>) {
  const { apiKeys, apiKeysFile: path } = config.auth;
  if (path === null) return null;
  return openKeyFile({ path, parse: (text) => parseApiKeyFile(text, apiKeys), now, log });
}

type Parts = {
  config: Config;
  log: Log;
  now: () => Date;
  heartbeatMs: number | undefined;
  db: Database;
  jobs: Jobs;
  upstream: ReturnType<typeof createUpstream>;
  secrets: readonly string[];
  trustedDocuments: TrustedDocuments;
  keyFile: KeyFile | null;
  address: { publicUrl: string };
  patience: Patience | undefined;
};

async function createServices(parts: Parts): Promise<Services> {
  const { config, log, now, db, jobs, upstream, secrets, address } = parts;
  const shared = { db, upstream, now, log };
  const accounts = createAccountService(shared);
  const videos = createVideoService({
    ...shared,
    accounts,
    eraseStoredUrls: (key) => eraseVideoUrls(db, key),
  });
  const voices = createVoiceService({ ...shared, accounts });
  const publicUrl = () => address.publicUrl;
  const uploads = createUploadService({
    ...shared,
    accounts,
    publicUrl,
    tokens: uploadTokens(secrets),
  });
  const webhooks = createWebhookService({
    ...{ db, jobs, now, log, secrets },
    allowedNetworks: config.webhookAllowedNetworks,
    publicId: encodeId,
  });
  const lipsyncs = await createLipsyncService({
    ...shared,
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
    timing: {
      pollMs: config.timing.pollIntervalMs,
      upstreamTimeoutMs: config.upstream.timeoutMs,
      maxJobMs: config.timing.maxJobMs,
      defaultJobMs: config.mode === 'sandbox' ? sandboxGuessMs : liveGuessMs,
    },
  });
  const quotas = await createQuotaService({
    ...{ db, now, log },
    limits: { costPerMinute: config.limits.costPerMinute, streams: config.limits.streamsPerCaller },
  });
  return { accounts, videos, voices, uploads, webhooks, lipsyncs, quotas };
}

function createDoors(parts: Parts, services: Services) {
  const { config, log, now, heartbeatMs, db, secrets, address } = parts;
  const { trustedDocuments, keyFile } = parts;
  const { uploads, lipsyncs } = services;
  const authenticate = createAuthenticator({ ...config.auth, keyFile, now, log });
  const sessions = createSessions({ authenticate, now, log });
  const contextOf = createContextFactory({ sessions, services, log });
  const streams = createEventStreams(sessions, heartbeatMs);
  const callbacks = createSubscriptionCallbacks({ streams, webhooks: services.webhooks, log });
  const { graphiql, introspection, corsOrigins } = config.server;
  const yoga = createGraphQL({
    schema,
    contextOf,
    sessions,
    streams,
    callbacks,
    log,
    graphiql,
    introspection,
    trustedDocuments,
    heartbeatMs,
  });
  const origins = { publicUrl: () => address.publicUrl, corsOrigins };
  const stopping = new AbortController();
  const server = createHttpServer({
    yoga,
    callbacks: createCallbackDoor({ secrets, now, log, onCallback: lipsyncs.onCallback }),
    uploads: createUploadDoor({ uploads, log, stopping: stopping.signal }),
    origins,
    hasGraphiql: graphiql,
    patience: parts.patience,
    metrics: createMetrics({
      countLipsyncs: lipsyncs.countByStatus,
      countEventStreams: streams.count,
      countUnreadBytes: () => sockets.countUnreadBytes(),
    }),
    log,
    checkReady: async () => {
      if (stopping.signal.aborted) throw new Error('This process is stopping.');
      await db.ping();
    },
  });
  const socketParts = { yoga, contextOf, sessions, origins, trustedDocuments, heartbeatMs, log };
  const sockets = openWebSocketDoor(server, socketParts);
  return {
    server,
    /** Takes no new request, lets `drain` finish what runs, and then ends every connection. */
    async close(drain: () => Promise<void>): Promise<void> {
      stopping.abort();
      sessions.stop();
      keyFile?.stop();
      // Until then /readyz says 503 to whoever still asks.
      const farewells = [streams.end, callbacks.close, sockets.close];
      await endConnections(server, { drained: drain(), farewells });
    },
  };
}

/** The upstream's users report one to two minutes a job. A choice, not a fact; past jobs soon tell better. */
const liveGuessMs = 90_000;

/** The sandbox's default is a second of waiting and four of generating. */
const sandboxGuessMs = 5_000;

function listen(server: Server, at: { host: string; port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(at.port, at.host, () => resolve((server.address() as AddressInfo).port));
  });
}
