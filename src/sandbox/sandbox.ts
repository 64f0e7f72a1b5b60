import { mkdir } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type AccountDefaults, openAccounts } from './storage/accounts.ts';
import { createAnnouncer } from './jobs/callbacks.ts';
import { isNeededByRunning, pictureOf, videoOfJob } from './jobs/find-video.ts';
import { createDisk } from './storage/json-files.ts';
import type { FinalStatus, Job, Status } from './jobs/job.ts';
import { type JobHooks, openJobs } from './jobs/job-store.ts';
import { createJournal } from './storage/request-log.ts';
import { library } from './storage/library.ts';
import { createRender, type Render } from './render/render-queue.ts';
import { API_BASE, serve } from './http/app.ts';
import { openShelf } from './storage/file-store.ts';
import { createSwitchBoard } from './faults/switches.ts';
import { toItem } from './jobs/video.ts';
import type { World } from './state.ts';

export type SandboxOptions = {
  /** Its own folder: jobs, accounts, uploads and results are kept here and survive a restart, also after `kill -9`. */
  dataDir: string;
  /** 0, the default, is any free one. The host is always 127.0.0.1. */
  port?: number;
  /** The one bearer token it accepts. Default `user:1001-sandbox`. */
  token?: string;
  /** Those of the first start; later ones remember. Default two with three jobs each. */
  accounts?: AccountDefaults;
  /** How long a job is QUEUED, in milliseconds. Default 1000. */
  queuedMs?: number;
  /** How long a job is GENERATING, in milliseconds. Default 4000. */
  generatingMs?: number;
  /** Which revision of the documentation it follows. Default `2026`. */
  profile?: '2024-12' | '2026';
};

export type Sandbox = {
  /** `http://127.0.0.1:PORT/v2/pixverse` */
  baseUrl: string;
  /** `http://127.0.0.1:PORT`, where media and `/_sandbox` are. */
  origin: string;
  token: string;
  port: number;
  /** Ends within a second, with requests under way cut. Running jobs go on at the next start. */
  close(): Promise<void>;
};

const GIB = 1024 ** 3;
/** Kept uploads: enough for many real ones, little enough for a laptop. The newest always stays. */
const MAX_UPLOADS_BYTES = 2 * GIB;
const MAX_RESULTS_BYTES = 1 * GIB;
/** In the revisions that state a limit; December 2024 states none. */
const MAX_AUDIO_SECONDS = 60;

const DEFAULT_ACCOUNTS: AccountDefaults = [
  { email: 'studio@sandbox.example', maxJobs: 3 },
  { email: 'backlot@sandbox.example', maxJobs: 3 },
];

/** Starts a stand-in for useapi.net's PixVerse API. Throws when the port is taken. */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const server = createServer({ requestTimeout: 0, keepAliveTimeout: 60_000 });
  const port = await listen(server, options.port ?? 0);
  // A client of the last run may be asking already: it waits for the disk to be read.
  const opening = openWorld(options, `http://127.0.0.1:${port}`);
  server.on('request', (request, response) => {
    opening
      .then(({ world }) => serve({ request, response }, world))
      .catch(() => response.destroy());
  });
  try {
    const { world, close } = await opening;
    world.jobs.start();
    return {
      baseUrl: `${world.origin}${API_BASE}`,
      origin: world.origin,
      token: world.token,
      port,
      async close() {
        const closed = new Promise((resolve) => server.close(resolve));
        server.closeAllConnections();
        await Promise.all([closed, close()]);
      },
    };
  } catch (error) {
    server.close();
    server.closeAllConnections();
    throw error;
  }
}

async function openWorld(options: SandboxOptions, origin: string) {
  const { dataDir, token = 'user:1001-sandbox' } = options;
  await mkdir(dataDir, { recursive: true });
  const disk = createDisk();
  const switches = createSwitchBoard();
  const isNeeded = (name: string) => isNeededByRunning(world, name);
  const shelf = (name: string, maxBytes: number) =>
    openShelf({ folder: join(dataDir, name), maxBytes, isNeeded });
  const results = await shelf('results', MAX_RESULTS_BYTES);
  const uploads = await shelf('uploads', MAX_UPLOADS_BYTES);
  const defaults = options.accounts ?? DEFAULT_ACCOUNTS;
  const accounts = await openAccounts({ dataDir, defaults, disk });
  const announcer = createAnnouncer({
    modeOf: (job) => switches.twistsFor(job.twists).callbacks ?? 'normal',
    bodyOf: (job, status) => callbackBody(world, job, status),
  });
  const parts = {
    token,
    userId: /^user:(\d+)-/.exec(token)?.[1] ?? '1001',
    origin,
    profile: () => switches.now.profile ?? options.profile ?? '2026',
    accounts,
    library,
    announcer,
    uploads,
    results,
    switches,
    journal: createJournal(),
    firedPhrases: new Set<string>(),
  };
  const hooks = jobHooks(() => world, options, createRender(results));
  const world: World = { ...parts, jobs: await openJobs(join(dataDir, 'jobs'), disk, hooks) };
  const close = async () => {
    world.jobs.close();
    announcer.close();
    // The folder may be gone already, with the test it belonged to.
    await accounts.save().catch(() => undefined);
    await disk.settle();
  };
  return { world, close };
}

function jobHooks(world: () => World, options: SandboxOptions, render: Render): JobHooks {
  const twistsOf = (job: Job) => world().switches.twistsFor(job.twists);
  return {
    staysMs(job) {
      const { now } = world().switches;
      const twists = twistsOf(job);
      if (job.status === 'QUEUED') return now.queuedMs ?? options.queuedMs ?? 1000;
      const generatingMs = now.generatingMs ?? options.generatingMs ?? 4000;
      return twists.endless ? null : generatingMs * (twists.slowBy ?? 1);
    },
    outcomeOf: (job): FinalStatus => twistsOf(job).outcome ?? 'COMPLETED',
    produce: (job) => render(scriptOf(job, world())),
    generating: (job) => world().announcer.generating(job),
    ended: (job) => world().announcer.ended(job),
    refund(job) {
      const account = world().accounts.find(job.email);
      if (account) account.credits += job.credits;
      world().accounts.saveSoon();
    },
  };
}

/** Sound wins over text when both were sent. What happens upstream then is not documented. */
function scriptOf(job: Job, world: World) {
  const { videoId, videoPath, audioPath, speakerId } = job.request;
  const upload = (path: string) => join(world.uploads.folder, path.slice('upload/'.length));
  const picturePath = videoPath ? upload(videoPath) : pictureOf(world, videoId ?? '');
  if (!picturePath) throw new Error('The source video is gone.');
  return {
    picturePath,
    soundPath: audioPath ? upload(audioPath) : null,
    text: job.spoken,
    speakerId,
    maxSeconds: world.profile() === '2026' ? MAX_AUDIO_SECONDS : Number.POSITIVE_INFINITY,
  };
}

/** Nothing documents it; useapi.net's own receivers read the item of GET /videos/{id} plus `replyRef`. */
function callbackBody(world: World, job: Job, status: Status) {
  const video = videoOfJob(world, { ...job, status });
  const item = toItem(video, { profile: world.profile(), inList: false, withReplyRef: true });
  if (world.switches.now.callbackShape !== 'nested') return item;
  const { replyRef } = job.request;
  return { ...item, response: { replyRef }, ...(status === 'FAILED' ? { errCode: 8 } : {}) };
}

async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve());
  });
  return (server.address() as AddressInfo).port;
}
