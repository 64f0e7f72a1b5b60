import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts';

export type UpstreamJob = { replyRef: string | undefined; status: string };
type JournalEntry = {
  sequence: number;
  method: string;
  path: string;
  body?: { replyRef?: string };
};

/** Enough slots for all jobs, on several accounts. */
const accounts = ['studio', 'backlot', 'annex'].map((name) => ({
  email: `${name}@sandbox.example`,
  maxJobs: 8,
}));

export type Upstream = Awaited<ReturnType<typeof startUpstream>>;

/** The sandbox, which keeps running while the product is killed, and all POSTs that it received. */
export async function startUpstream(options: {
  dataDir: string;
  generatingMs: number;
  listsReplyRef: boolean;
}) {
  const { dataDir, generatingMs, listsReplyRef } = options;
  const sandbox = await startSandbox({ dataDir, accounts, queuedMs: 200, generatingMs });
  await control(sandbox, 'PUT', 'switches', { replyRefInLists: listsReplyRef });
  const journal = new Map<number, JournalEntry>();

  return {
    baseUrl: sandbox.baseUrl,
    token: sandbox.token,
    close: sandbox.close,
    /** Must be called after each run, because the sandbox keeps only its last thousand requests. */
    async readJournal(): Promise<void> {
      const entries = (await control(sandbox, 'GET', 'requests')) as JournalEntry[];
      for (const entry of entries) journal.set(entry.sequence, entry);
    },
    /** The `replyRef` of each lip-sync POST, null when its body was incomplete, and the number of requests missed. */
    seen() {
      const posts = [...journal.values()].filter(
        ({ method, path }) => method === 'POST' && path === '/videos/lipsync',
      );
      return {
        posts: posts.map(({ body }) => body?.replyRef ?? null),
        unread: Math.max(0, ...journal.keys()) - journal.size,
      };
    },
    async readJobs(): Promise<UpstreamJob[]> {
      return ((await control(sandbox, 'GET', 'jobs')) as { jobs: UpstreamJob[] }).jobs;
    },
  };
}

async function control(
  { origin }: Sandbox,
  method: string,
  ...[path, body]: [path: string, body?: object]
): Promise<unknown> {
  const response = await fetch(`${origin}/_sandbox/${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`The sandbox refused ${path}: ${await response.text()}`);
  return response.json();
}
