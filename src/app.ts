import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createCallbackHandler } from './callbacks/route.ts';
import { readCallbackSecrets } from './callbacks/token.ts';
import { parseApiKeyFile } from './config/api-keys.ts';
import { publicUrlAt } from './config/public-url.ts';
import type { Config } from './config.ts';
import { connectDatabase, type Database } from './database/connect.ts';
import { createJobs } from './database/jobs.ts';
import { migrate } from './database/migrate.ts';
import { Failure } from './errors.ts';
import type { Services } from './graphql/context.ts';
import type { Log } from './log.ts';
import { startRetention } from './retention.ts';
import { schema } from './schema.ts';
import { type ApiKeyFile, openApiKeyFile } from './server/auth/api-key-file.ts';
import { createAuthenticator } from './server/auth/authenticate.ts';
import { createContextFactory, createSessions } from './server/auth/sessions.ts';
import type { MetricSources } from './server/http/metric-registry.ts';
import { createMetrics, type Metrics } from './server/http/metrics.ts';
import { createResultHandler } from './server/http/results.ts';
import { createHttpServer } from './server/http/server.ts';
import { closeConnections } from './server/http/shutdown.ts';
import type { ClientTimeouts } from './server/http/timeouts.ts';
import { createUploadHandler } from './server/http/uploads.ts';
import { createMcpHandler } from './server/mcp/handler.ts';
import { createPipeline } from './server/operation/pipeline.ts';
import type { TrustedDocuments } from './server/operation/trusted-documents.ts';
import { createRouterCallbacks } from './server/sse/router-callbacks.ts';
import { createEventStreams } from './server/sse/streams.ts';
import type { SocketLimits } from './server/websocket/limits.ts';
import { attachWebSocketServer } from './server/websocket/server.ts';
import { createServices, type ServiceParts } from './services.ts';
import { noTracer, type Tracer } from './tracing/tracer.ts';
import { createUpstream } from './upstream/client.ts';

export type AppOptions = {
  config: Config;
  log: Log;
  /** Default: nothing is traced. Not closed with the app. */
  tracer?: Tracer;
  /** Opens the upstream. Called once the database is open: its lock on `DATA_DIR` also protects the sandbox's files there. */
  openUpstream: () => Promise<{ baseUrl: string; token: string }>;
  /** The configured database, if it is being opened already. */
  database?: Promise<Database>;
  /** The clock, for tests. */
  now?: () => Date;
} & TestSettings;

/** Values that tests change. */
type TestSettings = Pick<ServiceParts, 'intervals' | 'importWaits' | 'creditWaitMs'> & {
  /** The interval of heartbeats on quiet connections. */
  heartbeatMs?: number | undefined;
  clientTimeouts?: ClientTimeouts | undefined;
  socketLimits?: SocketLimits | undefined;
  /** Default: `maxOperations` in `src/server/operation-slots.ts`. */
  maxOperations?: number | undefined;
  /** Default: `maxPendingChecks` in `src/server/sse/router-callbacks.ts`. */
  maxRouterChecks?: number | undefined;
};

export type App = Awaited<ReturnType<typeof startApp>>;

/** Builds all parts, connects them and listens. The process and every test start here. */
export async function startApp(options: AppOptions) {
  const { config, log, openUpstream, database, now = () => new Date() } = options;
  const keyFile = await openConfiguredKeyFile({ config, now, log });
  const db = await (database ?? connectDatabase({ ...config.database, log }));
  if ((await migrate(db)) === 'newer') log.warn('the database is of a newer version');
  const jobs = createJobs(db, log);
  const [upstreamAt, secrets] = await Promise.all([
    openUpstream(),
    readCallbackSecrets(db, config.callbackSecrets),
    jobs.start(),
  ]);
  const metrics = createMetrics();
  const reporting = { log, meter: metrics.meter, tracer: options.tracer ?? noTracer };
  const { timeoutMs } = config.upstream;
  const upstream = createUpstream({ ...upstreamAt, timeoutMs, ...reporting });
  // Set after listening: with PORT=0 the system chooses the port, and HOST can be a name.
  const address = { publicUrl: config.server.publicUrl ?? '', listensOn: config.server.host };
  const credentials = { secrets, trustedDocuments: trustedDocumentsOf(config), keyFile };
  const shared = { config, metrics, ...reporting, now, db, jobs, upstream, address };
  const parts = { ...options, ...shared, ...credentials };
  const services = await createServices(parts);
  const transports = createTransports(parts, services);

  await services.webhooks.start();
  const { port, address: listensOn } = await listen(transports.server, config.server);
  address.listensOn = listensOn;
  address.publicUrl = config.server.publicUrl ?? publicUrlAt(config.server.host, port);
  const accountsRead = readAccounts(parts, services);
  for (const each of [services.lipsyncs, services.uploads, services.owners]) await each.start();
  const retention = await startRetention({ jobs, now, db, ...config.timing }, services);

  async function close(): Promise<void> {
    await transports.close(() => services.lipsyncs.drain());
    services.uploads.stop();
    await services.webhooks.stop();
    retention.stop();
    services.owners.stop();
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
    /** Drains: no new work, POSTs in progress finish, clients of streams get the signal to reconnect. */
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

/** Reads the accounts at startup, so that an invalid upstream token is logged and no caller waits for the first read. */
async function readAccounts({ log }: Parts, { accounts }: Services): Promise<void> {
  try {
    await accounts.listPresent();
  } catch (thrown) {
    if (thrown instanceof Failure) {
      log.warn({ code: thrown.code }, `No lip-sync can be created now. ${thrown.message}`);
    } else {
      log.error({ err: thrown }, 'the accounts could not be read at startup');
    }
  }
}

function trustedDocumentsOf({ server: { trustedDocuments } }: Config): TrustedDocuments {
  return trustedDocuments === null ? null : new Map(Object.entries(trustedDocuments));
}

async function openConfiguredKeyFile({ config, now, log }: Pick<Parts, 'config' | 'now' | 'log'>) {
  const { apiKeys, apiKeysFile: path } = config.auth;
  if (path === null) return null;
  return openApiKeyFile({ path, parse: (text) => parseApiKeyFile(text, apiKeys), now, log });
}

type Parts = ServiceParts &
  TestSettings & {
    address: { listensOn: string };
    trustedDocuments: TrustedDocuments;
    keyFile: ApiKeyFile | null;
    metrics: Metrics;
  };

function createTransports(parts: Parts, services: Services) {
  const { config, log, metrics, meter, tracer, now, heartbeatMs, db, secrets } = parts;
  const { trustedDocuments, keyFile, clientTimeouts, maxOperations, socketLimits } = parts;
  const { uploads, lipsyncs } = services;
  const authenticate = createAuthenticator({ ...config.auth, keyFile, now, log });
  const sessions = createSessions({ authenticate, now, log });
  const createContext = createContextFactory({ sessions, services, log });
  const streams = createEventStreams(sessions, heartbeatMs);
  const { webhooks } = services;
  const callbacks = createRouterCallbacks({ streams, webhooks, log }, parts.maxRouterChecks);
  const { graphiql, introspection } = config.server;
  const policies = { graphiql, introspection, trustedDocuments };
  const pipelineParts = { schema, createContext, sessions, streams, callbacks, log, meter, tracer };
  const pipeline = createPipeline({ ...pipelineParts, ...policies, maxOperations });
  const senders = createSenderRules(parts);
  const stopping = new AbortController();
  const server = createHttpServer({
    ...senders,
    pipeline,
    mcp: config.server.mcp ? createMcpHandler({ pipeline, createContext, streams, log }) : null,
    callbacks: createCallbackHandler({ secrets, now, log, meter, onCallback: lipsyncs.onCallback }),
    uploads: createUploadHandler({ uploads, log, stopping: stopping.signal }),
    results: config.server.permanentUrls ? createResultHandler({ videos: services.videos }) : null,
    clientTimeouts,
    metricsTokens: config.server.metricsTokens,
    metrics,
    log,
    checkReady: async () => {
      if (stopping.signal.aborted) throw new Error('This process is stopping.');
      await db.ping();
    },
  });
  const socketParts = { pipeline, createContext, sessions, senders, trustedDocuments, heartbeatMs };
  const sockets = attachWebSocketServer(server, { ...socketParts, limits: socketLimits, log });
  metrics.connect(metricSources(parts, services, { streams, sockets }));
  return {
    server,
    /** Accepts no new request, waits for `drain`, and then closes every connection. */
    async close(drain: () => Promise<void>): Promise<void> {
      stopping.abort();
      sessions.stop();
      keyFile?.stop();
      // Until the server is closed, /readyz answers 503.
      const shutdownSteps = [streams.endAll, callbacks.close, sockets.close];
      await closeConnections(server, { drained: drain(), shutdownSteps });
    },
  };
}

/** The values that each collection of `/metrics` reads. */
function metricSources(
  { db }: Parts,
  { lipsyncs }: Services,
  open: {
    streams: ReturnType<typeof createEventStreams>;
    sockets: ReturnType<typeof attachWebSocketServer>;
  },
): MetricSources {
  const { streams, sockets } = open;
  return {
    readWork: lipsyncs.readWork,
    countStreams: () => ({
      sse: streams.count('sse'),
      multipart: streams.count('multipart'),
      websocket: sockets.countStreams(),
      callback: streams.count('callback'),
      mcp: streams.count('mcp'),
    }),
    countUnreadBytes: sockets.countUnreadBytes,
    countConnections: () => db.countConnections(),
  };
}

/** The rules for the origin and the host name of every request. */
function createSenderRules({ config, address }: Parts) {
  const { graphiql, corsOrigins, allowedHosts } = config.server;
  const publicUrl = () => address.publicUrl;
  return {
    origins: { publicUrl, corsOrigins, allowsLoopbackOrigins: config.mode === 'sandbox' },
    hosts: { publicUrl, listensOn: () => address.listensOn, allowedHosts },
    hasGraphiql: graphiql,
  };
}

function listen(server: Server, at: { host: string; port: number }): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(at.port, at.host, () => resolve(server.address() as AddressInfo));
  });
}
