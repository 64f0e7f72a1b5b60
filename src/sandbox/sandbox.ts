import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import { createSwitchStore } from './faults/switches.ts';
import { app } from './http/app.ts';
import type { SandboxEnv } from './http/context.ts';
import { API_BASE } from './http/responses.ts';
import { createCallbackSender } from './jobs/callbacks.ts';
import { isNeededByRunningJob, pictureFileOf, videoOfJob } from './jobs/find-video.ts';
import type { FinalStatus, Job, Status } from './jobs/job.ts';
import { type JobHooks, openJobStore } from './jobs/job-store.ts';
import { toItem } from './jobs/video.ts';
import { openPort } from './port.ts';
import { createRenderQueue, type Render } from './render/render-queue.ts';
import type { RenderInput } from './render/result.ts';
import type { SandboxState } from './state.ts';
import { type AccountDefaults, openAccounts } from './storage/accounts.ts';
import { openFileStore } from './storage/file-store.ts';
import { createJsonFiles } from './storage/json-files.ts';
import { library } from './storage/library.ts';
import { createRequestLog } from './storage/request-log.ts';

export type SandboxOptions = {
  /** The sandbox's own folder. Jobs, accounts, uploads and results survive a restart there, also after `kill -9`. */
  dataDir: string;
  /** 0, the default, is any free port. The host is always 127.0.0.1. */
  port?: number;
  /** The only bearer token that is accepted. Default `user:1001-sandbox`. */
  token?: string;
  /** The accounts of the first start; a later start reads the stored ones. Default two with three jobs each. */
  accounts?: AccountDefaults;
  /** How long a job is QUEUED, in milliseconds. Default 1000. */
  queuedMs?: number;
  /** How long a job is GENERATING, in milliseconds. Default 4000. */
  generatingMs?: number;
  /** How long the phrase `[[unavailable]]` has connections refused, in milliseconds. Default 10 000. */
  outageMs?: number;
  /** Which revision of the documentation the sandbox follows. Default `2026`. */
  profile?: '2024-12' | '2026';
};

export type Sandbox = {
  /** `http://127.0.0.1:PORT/v2/pixverse` */
  baseUrl: string;
  /** `http://127.0.0.1:PORT`, with the media and `/_sandbox`. */
  origin: string;
  token: string;
  port: number;
  /** Ends within a second and cuts running requests. Running jobs continue at the next start. */
  close(): Promise<void>;
};

const GIB = 1024 ** 3;
/** Enough for many real uploads, and little enough for a laptop. The newest file always stays. */
const MAX_UPLOADS_BYTES = 2 * GIB;
const MAX_RESULTS_BYTES = 1 * GIB;
/** In the revisions that state a limit; December 2024 states none. */
const MAX_AUDIO_SECONDS = 60;
/** Long enough to send another lip-sync by hand. */
const DEFAULT_OUTAGE_MS = 10_000;

const DEFAULT_ACCOUNTS: AccountDefaults = [
  { email: 'studio@sandbox.example', maxJobs: 3 },
  { email: 'backlot@sandbox.example', maxJobs: 3 },
];

/** Starts a stand-in for useapi.net's PixVerse API. Throws when the port is taken. */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const { promise: opened, resolve: setOpened } = Promise.withResolvers<SandboxState>();
  // A client of the last run may send requests already: they wait until the disk is read.
  const listener = getRequestListener(
    async (request, env) =>
      app.fetch(request, { ...(env as SandboxEnv['Bindings']), state: await opened }),
    // By default the adapter replaces the global Request and Response, which the server in this process uses too, and
    // ends connections with an unread body.
    { hostname: '127.0.0.1', overrideGlobalObjects: false, autoCleanupIncoming: false },
  );
  const port = await openPort(options.port ?? 0, listener);
  try {
    const origin = `http://127.0.0.1:${port.number}`;
    const { outageMs = DEFAULT_OUTAGE_MS } = options;
    const { state, close } = await openState(options, {
      origin,
      startOutage: () => port.startOutage(outageMs),
    });
    setOpened(state);
    state.jobs.start();
    return {
      baseUrl: `${origin}${API_BASE}`,
      origin,
      token: state.token,
      port: port.number,
      async close() {
        await Promise.all([port.close(), close()]);
      },
    };
  } catch (error) {
    await port.close();
    throw error;
  }
}

async function openState(
  options: SandboxOptions,
  network: Pick<SandboxState, 'origin' | 'startOutage'>,
) {
  const { dataDir, token = 'user:1001-sandbox' } = options;
  await mkdir(dataDir, { recursive: true });
  const files = createJsonFiles();
  const switches = createSwitchStore();
  const isNeeded = (name: string) => isNeededByRunningJob(state, name);
  const openStore = (name: string, maxBytes: number) =>
    openFileStore({ folder: join(dataDir, name), maxBytes, isNeeded });
  const results = await openStore('results', MAX_RESULTS_BYTES);
  const uploads = await openStore('uploads', MAX_UPLOADS_BYTES);
  const defaults = options.accounts ?? DEFAULT_ACCOUNTS;
  const accounts = await openAccounts({ dataDir, defaults, files });
  const callbacks = createCallbackSender({
    modeOf: (job) => switches.effectsOn(job.effects).callbacks ?? 'normal',
    bodyOf: (job, status) => callbackBody(state, job, status),
  });
  const hooks = jobHooks(() => state, options, createRenderQueue(results));
  const jobs = await openJobStore(join(dataDir, 'jobs'), files, hooks);
  const state: SandboxState = {
    ...network,
    token,
    userId: /^user:(\d+)-/.exec(token)?.[1] ?? '1001',
    profile: () => switches.current.profile ?? options.profile ?? '2026',
    accounts,
    library,
    jobs,
    callbacks,
    uploads,
    results,
    switches,
    requestLog: createRequestLog(),
    usedPhrases: new Set<string>(),
  };
  const close = async () => {
    jobs.close();
    callbacks.close();
    // A test may have deleted the folder already.
    await accounts.save().catch(() => undefined);
    await files.settle();
  };
  return { state, close };
}

function jobHooks(state: () => SandboxState, options: SandboxOptions, render: Render): JobHooks {
  const effectsOn = (job: Job) => state().switches.effectsOn(job.effects);
  return {
    statusDurationMs(job) {
      const { current } = state().switches;
      if (job.status === 'QUEUED') return current.queuedMs ?? options.queuedMs ?? 1000;
      const { endless, slowBy = 1 } = effectsOn(job);
      return endless ? null : (current.generatingMs ?? options.generatingMs ?? 4000) * slowBy;
    },
    outcomeOf: (job): FinalStatus => effectsOn(job).outcome ?? 'COMPLETED',
    render: (job) => render(renderInputOf(job, state())),
    onGenerating: (job) => state().callbacks.onGenerating(job),
    onFinal: (job) => state().callbacks.onFinal(job),
    refund(job) {
      const account = state().accounts.find(job.email);
      if (account) account.credits += job.credits;
      state().accounts.saveSoon();
    },
  };
}

/** The sound is used when both sound and text were sent. What the upstream does then is not documented. */
function renderInputOf(job: Job, state: SandboxState): RenderInput {
  const { videoId, videoPath, audioPath, speakerId } = job.request;
  const upload = (path: string) => join(state.uploads.folder, path.slice('upload/'.length));
  const picturePath = videoPath ? upload(videoPath) : pictureFileOf(state, videoId ?? '');
  if (!picturePath) throw new Error('The source video was deleted.');
  return {
    picturePath,
    soundPath: audioPath ? upload(audioPath) : null,
    text: job.spoken,
    speakerId,
    maxSeconds: state.profile() === '2026' ? MAX_AUDIO_SECONDS : Number.POSITIVE_INFINITY,
  };
}

/** Not documented. useapi.net's own receivers read the item of GET /videos/{id} plus `replyRef`. */
function callbackBody(state: SandboxState, job: Job, status: Status) {
  const video = videoOfJob(state, { ...job, status });
  const item = toItem(video, { profile: state.profile(), inList: false, withReplyRef: true });
  if (state.switches.current.callbackShape !== 'nested') return item;
  const { replyRef } = job.request;
  return { ...item, response: { replyRef }, ...(status === 'FAILED' ? { errCode: 8 } : {}) };
}
