import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { App } from './app.ts';
import { ConfigError } from './config/error.ts';
import { type Config, readConfig } from './config.ts';
import { connectDatabase } from './database/connect.ts';
import { DataDirInUseError, lockDataDir } from './database/lock.ts';
import { createLog, type Log, reportSuppressedLines } from './log.ts';
import type { Sandbox } from './sandbox/sandbox.ts';
import { noTracer, type Tracer } from './tracing/tracer.ts';

/** After this time the process exits in any case. Supervisors commonly kill a process ten seconds after SIGTERM. */
const maxStopMs = 9_500;

/** Runs the program: reads the configuration, builds the app, listens, and stops on signals. Only this file ends the process. */
export async function runProcess(): Promise<void> {
  try {
    await start();
  } catch (error) {
    const reason = error instanceof DataDirInUseError ? error.message : String(error);
    process.stderr.write(`${reason}\n`);
    process.exit(1);
  }
}

async function start(): Promise<void> {
  const config = readConfigOrExit();
  const log = createLog(config.logLevel);
  // Opened while the modules of the app are loaded: done one after the other, the two take a third of the start.
  const database = connectDatabase({ ...config.database, log });
  database.catch(() => undefined);
  const { startApp } = await import('./app.ts');
  const tracer = await openTracing(config, log);
  let sandbox: Sandbox | null = null;
  const app = await startApp({
    config,
    log,
    tracer,
    database,
    openUpstream: async () => {
      const { token, baseUrl } = config.upstream;
      if (token !== null) return { baseUrl, token };
      sandbox = await lockAndStartSandbox(config, log);
      return sandbox;
    },
  });
  stopOnSignals({ app, sandbox, log, tracer });
  log.info({ url: `${app.url}/graphql`, mode: config.mode }, 'listening');
  if (config.mode === 'live' && config.server.publicUrlIsLoopback) {
    log.warn(
      'PUBLIC_URL is a loopback address: the upstream can not call back, so results are found by polling.',
    );
  }
}

function readConfigOrExit(): Config {
  try {
    return readConfig();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}

/** OpenTelemetry is loaded only if traces are sent, so that a process without them loads nothing of its SDK. */
async function openTracing({ tracing }: Config, log: Log): Promise<Tracer> {
  if (tracing === null) return noTracer;
  const { openTracer } = await import('./tracing/open.ts');
  return openTracer(tracing, log);
}

/**
 * A sandbox has its files to itself. The embedded database holds the lock of the folder already; with PostgreSQL the lock is
 * acquired here.
 *
 * @throws {DataDirInUseError}
 */
async function lockAndStartSandbox(config: Config, log: Log): Promise<Sandbox> {
  const { url, dataDir } = config.database;
  if (url === null) return await startOwnSandbox(config);
  await mkdir(dataDir, { recursive: true });
  const unlock = await lockDataDir(dataDir, log);
  try {
    const sandbox = await startOwnSandbox(config);
    const close = () => sandbox.close().finally(unlock);
    return { ...sandbox, close };
  } catch (error) {
    await unlock();
    throw error;
  }
}

/** The sandbox keeps its port, so that the URLs of its videos stay valid after a restart. */
async function startOwnSandbox(config: Config): Promise<Sandbox> {
  const { startSandbox } = await import('./sandbox/sandbox.ts');
  const { dataDir } = config.database;
  await mkdir(dataDir, { recursive: true });
  const file = join(dataDir, 'sandbox-port');
  const lastPort = Number(await readFile(file, 'utf8').catch(() => '0'));
  const port = config.sandboxPort ?? (Number.isInteger(lastPort) ? lastPort : 0);
  const options = { dataDir: join(dataDir, 'sandbox') };
  const sandbox = await startSandbox({ ...options, port }).catch((error: unknown) => {
    if (config.sandboxPort !== null) throw error;
    return startSandbox({ ...options, port: 0 });
  });
  await writeFile(file, String(sandbox.port));
  return sandbox;
}

function stopOnSignals(running: {
  app: App;
  sandbox: Sandbox | null;
  log: Log;
  tracer: Tracer;
}): void {
  let isStopping = false;
  const stop = async (signal: string) => {
    if (isStopping) return;
    isStopping = true;
    running.log.info({ signal }, 'stopping');
    // If a POST is still in progress then, its job is searched for after the next start, and the POST is never sent again.
    setTimeout(() => {
      reportSuppressedLines(running.log);
      process.exit(0);
    }, maxStopMs).unref();
    // The spans that have ended are sent now: the shutdown may exceed the time that the process has.
    void running.tracer.flush();
    try {
      await running.app.close();
      await Promise.all([running.sandbox?.close(), running.tracer.close()]);
      running.log.info('stopped');
    } catch (error) {
      // Everything that was acknowledged is stored: the next start continues with it.
      running.log.error({ err: error }, 'could not stop in order');
    }
    reportSuppressedLines(running.log);
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => void stop(signal));
  }
}
