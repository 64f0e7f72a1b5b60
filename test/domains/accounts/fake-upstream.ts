import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A video of this upstream. The list has the order of the array. */
export type FakeVideo = { number: number; createdAt: Date; status?: number };

export type FakeAccount = {
  email: string;
  maxJobs?: number;
  credits?: number | string | null;
  error?: string;
  videos: FakeVideo[];
};

type Answer = { status: number; body: unknown };

/** An upstream whose accounts, videos, order and failures a test controls. */
export async function startFakeUpstream(accounts: FakeAccount[]) {
  const requests: string[] = [];
  const control = {
    accounts,
    requests,
    /** Replaces the normal response; undefined = the normal response. */
    override: undefined as ((call: string) => Answer | undefined) | undefined,
    /** A call for which this gives a promise is answered when the promise resolves. */
    hold: undefined as ((call: string) => Promise<void> | undefined) | undefined,
  };

  async function answer(request: IncomingMessage): Promise<Answer> {
    const url = new URL(request.url ?? '/', 'http://fake');
    const call = `${request.method} ${decodeURIComponent(url.pathname)}${url.search}`;
    requests.push(call);
    await control.hold?.(call);
    const overridden = control.override?.(call);
    if (overridden !== undefined) return overridden;
    if (url.pathname.startsWith('/accounts')) return answerAccounts(control.accounts, request);
    return answerReads(control.accounts, url) ?? answerOne(control.accounts, request);
  }

  const server = createServer((request, response) => {
    request.resume().on('end', async () => send(response, await answer(request)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    control,
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export function idOf(email: string, number: number): string {
  return `user:7-pixverse:${email}-video:${number}`;
}

const notFound: Answer = { status: 404, body: { error: 'Not found', code: 404 } };

const voices = [
  { speaker_id: '1', display_name: 'Emily', url: 'https://media.example/1.mp3' },
  { speaker_id: '3', display_name: 'Isabella', url: 'https://media.example/3.mp3\n' },
];

function ok(body: unknown): Answer {
  return { status: 200, body };
}

function send(response: ServerResponse, { status, body }: Answer): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function answerReads(accounts: FakeAccount[], { pathname, searchParams }: URL): Answer | undefined {
  if (!['/features/', '/videos/', '/videos/voices/'].includes(pathname)) return undefined;
  const email = searchParams.get('email');
  const account = accounts.find((it) => email === null || it.email === email);
  if (account === undefined) return notFound;
  if (pathname === '/videos/') return ok({ data: pageOf(account, searchParams) });
  return ok(
    pathname === '/features/'
      ? { credit_monthly: account.credits, plan_name: 'Pro' }
      : { tts_list: voices },
  );
}

function answerAccounts(accounts: FakeAccount[], request: IncomingMessage): Answer {
  const email = decodeURIComponent(request.url?.slice('/accounts/'.length) ?? '');
  const found = accounts.find((account) => account.email === email);
  if (request.method === 'POST') {
    if (found !== undefined) delete found.error;
    return found === undefined ? notFound : { status: 201, body: {} };
  }
  if (email !== '') return found === undefined ? notFound : ok(found);
  return accounts.length === 0
    ? notFound
    : ok(Object.fromEntries(accounts.map(({ videos, ...account }) => [account.email, account])));
}

function pageOf({ email, videos }: FakeAccount, query: URLSearchParams) {
  const offset = Number(query.get('offset') ?? 0);
  const limit = Number(query.get('limit') ?? 40);
  return videos.slice(offset, offset + limit).map((video) => itemOf(email, video));
}

function answerOne(accounts: FakeAccount[], request: IncomingMessage): Answer {
  const id = request.url?.slice('/videos/'.length) ?? '';
  for (const account of accounts) {
    const video = account.videos.find(({ number }) => idOf(account.email, number) === id);
    if (video === undefined) continue;
    if (request.method === 'DELETE') {
      account.videos = account.videos.filter((other) => other !== video);
      return { status: 204, body: undefined };
    }
    // GET of a running video gives 404, as the real upstream does.
    const isFinal = [1, 7, 8].includes(video.status ?? 1);
    return isFinal ? ok(itemOf(account.email, video)) : notFound;
  }
  return notFound;
}

function itemOf(email: string, { number, createdAt, status = 1 }: FakeVideo) {
  return {
    video_id: idOf(email, number),
    video_status: status,
    created_at: createdAt.toISOString().replace(/\.\d+Z$/, 'Z'),
    url: `https://media.example/${number}.mp4`,
    first_frame: `https://media.example/${number}.webp`,
    output_width: 540,
    prompt: `video ${number}`,
  };
}
