import { encodeId } from '../../../../src/graphql/ids.ts';
import { openReceiver } from '../../../domains/webhooks/webhook-receiver.ts';
import { startTestApp } from '../../../support/app.ts';
import { withHeaders } from '../../../support/lipsyncs.ts';
import { RawWebSocket } from '../../../support/raw-websocket.ts';
import { wavHeader } from '../../../support/wav.ts';
import { held, type Owner, owners, type Share } from './share.ts';

const webSockets: Share = {
  resource: 'WebSockets',
  countedIn: 'src/server/websocket/limits.ts',
  size: 4,
  answer: { code: 1013, reason: 'Too many connections' },
  async open(onEnd) {
    const socketLimits = { signedIn: 8, others: 50 };
    const app = await startTestApp({ env: owners.env, socketLimits });
    onEnd(app.stop);
    return async (owner) => {
      const socket = await RawWebSocket.connect(app.url);
      onEnd(() => socket.socket.terminate());
      socket.send({ type: 'connection_init', payload: owners.headers[owner] });
      const acknowledged = socket.message(({ type }) => type === 'connection_ack').then(() => held);
      return await acknowledged.catch(() => socket.closed);
    };
  },
};

const query = 'mutation ($file: File!) { uploadAudio(file: $file) { __typename } }';

/** A multipart request with a short file. */
function formWithFile(): FormData {
  const form = new FormData();
  form.set('operations', JSON.stringify({ query, variables: { file: null } }));
  form.set('map', JSON.stringify({ 0: ['variables.file'] }));
  form.set('0', new Blob([wavHeader(100), Buffer.alloc(100)], { type: 'audio/wav' }), 'a.wav');
  return form;
}

const multipartRequests: Share = {
  resource: 'multipart requests',
  countedIn: 'src/server/operation/multipart.ts',
  size: 4,
  answer: { status: 503, code: 'TOO_MANY_FILES' },
  async open(onEnd) {
    const app = await startTestApp({ env: owners.env });
    onEnd(app.stop);
    const clients = new AbortController();
    onEnd(() => clients.abort());
    // Otherwise the app would wait for its answers.
    onEnd(() => app.sandbox.close());
    await app.turn({ failPath: { path: '/files*', action: 'hang', times: 100 } });
    const countFiles = async () =>
      (await app.readSandbox<{ path: string }[]>('requests')).filter(({ path }) =>
        path.startsWith('/files'),
      ).length;
    return async (owner) => {
      const before = await countFiles();
      const sent = fetch(`${app.url}/graphql`, {
        method: 'POST',
        headers: { 'x-csrf': '1', ...owners.headers[owner] },
        body: formWithFile(),
        signal: clients.signal,
      });
      const answered = sent.then(answerOf);
      answered.catch(() => undefined);
      return await firstOf(answered, async () => (await countFiles()) > before);
    };
  },
};

const slowOperations: Share = {
  resource: 'operations in progress',
  countedIn: 'src/server/operation-slots.ts',
  size: 4,
  answer: { status: 200, code: 'QUOTA_EXCEEDED' },
  async open(onEnd) {
    let begun = 0;
    const ends: (() => void)[] = [];
    const app = await startTestApp({
      env: owners.env,
      maxOperations: 8,
      wrapDatabase: (db) => {
        const query = db.query.bind(db);
        const slowQuery: typeof query = async (text, values) => {
          if (text.includes('from uploads')) {
            begun += 1;
            await new Promise<void>((resolve) => ends.push(resolve));
          }
          return query(text, values);
        };
        return Object.assign(db, { query: slowQuery });
      },
    });
    onEnd(app.stop);
    onEnd(() => {
      for (const end of ends) end();
    });
    return async (owner) => {
      const before = begun;
      const sent = fetch(`${app.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...owners.headers[owner] },
        body: JSON.stringify({ query: `{ upload(id: "${uploadId}") { id } }` }),
      });
      return await firstOf(sent.then(answerOf), async () => begun > before);
    };
  },
};

const uploadId = encodeId('Upload', '00000000-0000-4000-8000-000000000000');

const progress = 'subscription { lipsyncProgress(id: "x") { __typename } }';

const routerChecks: Share = {
  resource: "checks of routers' callback addresses",
  countedIn: 'src/server/sse/router-callbacks.ts',
  size: 32,
  atOnce: true,
  answer: { status: 429, code: 'QUOTA_EXCEEDED' },
  async open(onEnd) {
    const env = { ...owners.env, OUTBOUND_ALLOWED_NETWORKS: '127.0.0.1/32' };
    const app = await startTestApp({ env, maxRouterChecks: 64 });
    onEnd(app.stop);
    const checks = new Map<string, () => void>();
    // Answers no check.
    const router = await openReceiver((_response, _n, path) => checks.get(path)?.());
    onEnd(router.close);
    return async (owner) => {
      const path = `/${checks.size}`;
      const checked = new Promise<void>((resolve) => checks.set(path, resolve));
      const sent = fetch(`${app.url}/graphql`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json;callbackSpec=1.0',
          ...owners.headers[owner],
        },
        body: JSON.stringify({
          query: progress,
          extensions: {
            subscription: {
              callbackUrl: `http://127.0.0.1:${router.port}${path}`,
              subscriptionId: 'x',
              verifier: 'x',
            },
          },
        }),
      });
      const answered = sent.then(answerOf);
      answered.catch(() => undefined);
      return await Promise.race([answered, checked.then(() => held)]);
    };
  },
};

const errorLines: Share = {
  resource: 'lines of one message in the log',
  countedIn: 'src/log/line-limiter.ts',
  size: 60,
  answer: 'not logged',
  async open(onEnd) {
    const app = await startTestApp({ env: owners.env });
    onEnd(app.stop);
    await app.app.db.query('alter table lipsyncs rename column source_video_id to renamed');
    let count = 0;
    return async (owner: Owner) => {
      count += 1;
      const requestId = `request-${count}`;
      const asOwner = withHeaders(app, owners.headers[owner]);
      await asOwner.ask('{ lipsyncs { nodes { id } } }', {}, { 'x-request-id': requestId });
      const isLogged = app.logs.some(
        (line) => line.msg === 'unexpected error' && line.requestId === requestId,
      );
      return isLogged ? held : 'not logged';
    };
  },
};

async function answerOf(response: Response): Promise<unknown> {
  const { errors } = (await response.json()) as { errors?: { extensions: { code: string } }[] };
  return { status: response.status, code: errors?.[0]?.extensions.code };
}

/** The answer, or `held` once the request has reached its goal without one. */
async function firstOf(
  answered: Promise<unknown>,
  hasArrived: () => Promise<boolean>,
): Promise<unknown> {
  const none = Symbol('no answer yet');
  for (;;) {
    if (await hasArrived()) return held;
    await new Promise(setImmediate);
    const answer = await Promise.race([answered, Promise.resolve(none)]);
    if (answer !== none) return answer;
  }
}

/** Shares of requests, connections and log lines. */
export const shares = [webSockets, multipartRequests, slowOperations, routerChecks, errorLines];
