import type { Reply, Route, SeenRequest } from '../../support/fake-upstream/routes.ts';
import { callTools, importFiles } from './imports-and-tools.ts';
import { asAdmin, audio, emails, given, type SecretsSetup } from './program-with-secrets.ts';
import { admin, bearer, documents, Session, writer } from './session.ts';

/** Ids of the accounts' videos, in the order of `emails`. */
async function readVideos(session: Session, caller: string): Promise<string[]> {
  const { videos } = await session.ask(caller, documents.reads, { id: 'x' });
  const nodes = videos.nodes as { id: string; prompt: string }[];
  return emails.map((_, at) => nodes.find(({ prompt }) => prompt === `video of ${at}`)?.id ?? '');
}

/** Successful steps: a sound and a text are lip-synced, watched, delivered by webhook and read by every caller. */
export async function succeed(session: Session): Promise<string[]> {
  const { setup } = session;
  const [video, ...others] = await readVideos(session, writer);
  for (let times = 0; times < 2; times += 1) await session.ask(writer, documents.rotate);
  const { createUpload } = await session.ask(writer, documents.createUpload);
  await session.send(null, createUpload.uploadUrl, { method: 'PUT', body: audio });
  await session.ask(writer, documents.uploads, { id: createUpload.upload.id });
  const spoken = await session.createLipsync(writer, {
    video: { videoId: video },
    speech: { uploadId: createUpload.upload.id },
    callbackUrl: `${setup.receiver.url}&secret=${given.hookKey}`,
    callbackEvents: ['SUBMITTED', 'GENERATING', 'FINISHED'],
  });
  await finish(session, writer, spoken.lipsync.id);
  await setup.receiver.until(2);
  await importFiles(session);
  await callTools(session, spoken.lipsync.id);
  const read = await session.createLipsync(bearer(setup.jwt), { video: { videoId: others[0] } });
  await finish(session, bearer(setup.jwt), read.lipsync.id);
  for (const caller of [writer, admin, bearer(setup.jwt), bearer(given.readerKey), null]) {
    await session.ask(caller, documents.reads, { id: spoken.lipsync.id });
    const search = new URLSearchParams({ query: documents.reads, variables: '{"id":"x"}' });
    await session.send(caller, `/graphql?${search}`);
  }
  await session.ask(admin, documents.accounts);
  return [video ?? '', ...others];
}

async function finish(session: Session, caller: string, id: string): Promise<void> {
  const job = await session.setup.upstream.nextJob();
  const watching = session.watch(caller, id);
  await job.become(10);
  await job.become(1);
  await watching;
}

/** Upstream answers that repeat everything in the request. */
function echoes(status: number): ((request: SeenRequest) => Reply)[] {
  const json = (body: object): Reply => ({ status, body: JSON.stringify(body) });
  return [
    (request) =>
      json({ error: `Bad: ${echoOf(request)}`, code: status, errorDetails: echoOf(request) }),
    ({ headers }) =>
      json({ error: `Token ${headers.authorization?.split('-').at(-1)} is unknown` }),
    ({ body }) => json({ error: `Not ${passwordIn(body)}`, errorDetails: [body.toString('hex')] }),
    (request) => ({
      status,
      body: `<html><pre>${echoOf(request)}</pre></html>`,
      headers: {
        'content-type': 'text/html',
        'x-echo': 'x',
        location: `https://x/?${echoOf(request)}`,
      },
    }),
  ];
}

function echoOf({ headers, url, body }: SeenRequest): string {
  return encodeURI(`${headers.authorization} ${url} ${body.toString('latin1').slice(0, 500)}`);
}

function passwordIn(body: Buffer): string {
  const [, password = ''] = /"password":"((?:[^"\\]|\\.)*)"/.exec(body.toString()) ?? [];
  return JSON.parse(`"${password}"`) as string;
}

const statuses = [200, 400, 401, 402, 403, 404, 412, 418, 422, 429, 500, 502, 503, 596];

/** Every failure of the upstream, on every endpoint that the program calls. */
export async function failUpstream(session: Session, videos: string[]): Promise<void> {
  const { accounts } = await session.ask(admin, documents.accounts);
  const [account] = accounts.nodes as { id: string }[];
  const asks: [Route, (at: number) => Promise<unknown>][] = [
    ['GET /videos/voices', () => session.ask(writer, documents.reads, { id: 'x' })],
    ['GET /videos', () => session.ask(admin, documents.reads, { id: 'x' })],
    ['POST /files', () => uploadBoth(session)],
    [
      'POST /videos/lipsync',
      (at) => session.createLipsync(writer, { video: { videoId: videos[at] } }),
    ],
    ['DELETE /videos/{id}', () => session.ask(writer, documents.deleteVideo, { id: videos[15] })],
    ['POST /accounts/{email}', () => reconnect(session, account?.id ?? '')],
  ];
  for (const [route, ask] of asks) {
    for (const [at, status] of statuses.entries()) {
      const all = echoes(status);
      // Only the text of a 400 is passed to callers.
      for (const reply of status === 400 ? all : all.slice(at % 4, (at % 4) + 1)) {
        session.setup.upstream.reply(route, reply);
        await ask(at + 1);
      }
    }
    session.setup.upstream.reply(route, null);
  }
}

async function uploadBoth(session: Session): Promise<void> {
  const made = (await session.ask(writer, documents.createUpload))?.createUpload;
  // Undefined while the table is broken.
  if (made !== undefined) {
    await session.send(null, made.uploadUrl, { method: 'PUT', body: audio });
    await session.ask(writer, documents.uploads, { id: made.upload.id });
  }
  const form = new FormData();
  form.set(
    'operations',
    JSON.stringify({
      query:
        'mutation ($file: File!) { uploadAudio(file: $file) { __typename ... on LipsyncError { code message } } }',
      variables: { file: null },
    }),
  );
  form.set('map', JSON.stringify({ 0: ['variables.file'] }));
  form.set('0', new File([audio], 'speech.wav', { type: 'audio/wav' }));
  await session.send(writer, '/graphql', {
    method: 'POST',
    headers: { 'x-csrf': '1' },
    body: form,
  });
}

async function reconnect(session: Session, accountId: string): Promise<void> {
  const input = { accountId, password: given.accountPassword, maxJobs: 3 };
  await session.ask(admin, documents.reconnect, { input });
}

/** Unauthorized callers, and secrets in the wrong places of requests. */
export async function misuse(session: Session): Promise<void> {
  const { setup } = session;
  const tokens = [setup.jwt, setup.expiredJwt, setup.forgedJwt, given.strangerKey, given.adminKey];
  const { voices } = { voices: '{ voices { __typename ... on LipsyncError { message } } }' };
  for (const token of tokens) {
    await session.ask(bearer(token), voices);
    await session.ask(`Basic ${Buffer.from(`user:${token}`).toString('base64')}`, voices);
    await session.ask(token, voices);
    await session.send(
      null,
      `/graphql?access_token=${encodeURIComponent(token)}&query={__typename}`,
    );
    await session.send(null, `/nowhere?key=${encodeURIComponent(token)}`);
    await session.send(null, `/nowhere/${encodeURIComponent(token)}`);
    await session.send(null, `/graphql/${encodeURIComponent(token)}`);
    await session.trySocket({ authorization: bearer(token) }, voices);
  }
  const { accounts } = await session.ask(admin, documents.accounts);
  const [account] = accounts.nodes as { id: string }[];
  const accountId = account?.id;
  const password = given.accountPassword;
  // Inputs that GraphQL itself rejects with a message that quotes them.
  for (const input of [
    { accountId, password, maxJob: 3 },
    { accountId, password, maxJobs: 'three; four' },
    { accountId, password: [password] },
    { accountId, password: { password } },
    { password },
    { accountId: { password }, password },
    password,
    [password],
  ]) {
    await session.ask(admin, documents.reconnect, { input });
    await session.ask(writer, documents.reconnect, { input });
  }
  const url = new URL((await session.ask(writer, documents.createUpload)).createUpload.uploadUrl);
  for (const path of [
    `/api${url.pathname}`,
    `/${url.pathname}`,
    `${url.pathname}/x`,
    url.pathname.toUpperCase(),
    url.pathname.replace('s/', 's%2F'),
    url.pathname.replace('s/', 's%252f'),
    url.pathname.replace('/u', '/%75'),
    `/graphql${url.pathname}`,
  ]) {
    await session.send(null, path, { method: 'PUT', body: audio });
  }
  await session.send(null, url.pathname, { method: 'POST', body: audio });
  const callback = setup.upstream.jobs[0]?.body.replyUrl as string;
  for (const body of [
    '{',
    JSON.stringify({ video_id: given.adminKey }),
    JSON.stringify({ video_id: emails[0] }),
  ]) {
    await session.send(null, callback, { method: 'POST', body });
    await session.send(null, `${callback}x`, { method: 'POST', body });
    await session.send(null, callback, { method: 'GET' });
  }
}

/** Unexpected errors: defects and a missing database. */
export async function breakDown(session: Session, videos: string[]): Promise<void> {
  const { server, databaseUrl } = session.setup;
  const database = new URL(databaseUrl).pathname.slice(1);
  const own = { adminUrl: server.adminUrl.replace(/\/[^/]*$/, `/${database}`) };
  const tables = [
    'lipsyncs',
    'lipsync_events',
    'uploads',
    'webhook_keys',
    'webhook_deliveries',
    'accounts',
  ];
  const asked = { id: videos[15] };
  for (const table of tables) {
    // Every row written from now on breaks a constraint, and PostgreSQL quotes the row.
    await asAdmin(
      { ...server, ...own },
      `alter table ${table} add constraint broken check (false) not valid`,
    );
    await session.createLipsync(writer, { video: asked, callbackUrl: session.setup.receiver.url });
    await session.createLipsync(bearer(session.setup.jwt), { video: asked });
    await uploadBoth(session);
    await session.ask(writer, documents.rotate);
    await session.ask(writer, documents.reads, asked);
    await asAdmin({ ...server, ...own }, `alter table ${table} drop constraint broken`);
  }
  await asAdmin(server, `alter role gateway password 'another one'`);
  await asAdmin(
    server,
    `select pg_terminate_backend(pid) from pg_stat_activity where usename = 'gateway'`,
  );
  await session.send(null, '/readyz');
  await session.ask(writer, documents.reads, asked);
  await session.send(null, '/metrics');
  await asAdmin(server, `alter role gateway password '${given.databasePassword}'`);
}

export async function runSession(setup: SecretsSetup): Promise<Session> {
  const session = new Session(setup);
  const videos = await succeed(session);
  await failUpstream(session, videos);
  await misuse(session);
  await breakDown(session, videos);
  await session.send(null, '/metrics');
  return session;
}
