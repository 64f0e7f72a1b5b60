import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { type Behaviour, defaultBehaviour, fakeToken } from './behaviour.ts';
import { replyTo } from './endpoints.ts';
import type { Outcome } from './outcomes.ts';
import {
  callOf,
  type Handler,
  type Reply,
  type Route,
  routeOf,
  type SeenRequest,
} from './routes.ts';
import { type NewVideo, UpstreamState } from './state.ts';

export type FakeUpstream = Awaited<ReturnType<typeof startFakeUpstream>>;

/**
 * The one fake upstream of the tests, written from the documents alone and sharing no line with the sandbox: where the
 * documents leave a choice, `behaviour` makes another one. Nothing in it moves by itself: a test moves the jobs.
 *
 * @param options.now gives the time at which jobs are created
 */
export async function startFakeUpstream(
  given: Partial<Behaviour> = {},
  { now = () => new Date() }: { now?: () => Date } = {},
) {
  const state = new UpstreamState({ ...defaultBehaviour, ...given }, now);
  const server = createServer((request, response) => {
    answer(state, request, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  state.origin = origin;
  const close = async () => {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return {
    baseUrl: `${origin}/v2/pixverse`,
    token: fakeToken,
    behaviour: state.behaviour,
    requests: state.requests,
    /** The requests as text, such as `GET /videos/?email=a%40b.example`. */
    calls: () => state.requests.map(callOf),
    jobs: state.jobs,
    jobOf: (replyRef: string) => state.jobs.find((job) => job.replyRef === replyRef),
    /** Of all accounts. GET /videos lists those of one account, the last of them first unless `order` differs. */
    videos: state.items,
    accounts: state.accounts,
    /** Adds a finished video of that account, or one with another status or age, and returns its id. */
    addVideo: (email: string, video: string | NewVideo) => state.addVideo(email, video).id,
    /** Overrides the answers of the route from now on; null ends the override. */
    reply: (route: Route, reply: Reply | ((request: SeenRequest) => Reply | null) | null) => {
      if (reply === null) state.replies.delete(route);
      else state.replies.set(route, typeof reply === 'function' ? reply : () => reply);
    },
    /** Overrides the answer of each call for which the function returns one; null ends the override. */
    replyToAll: (reply: ((call: string) => Reply | null) | null) => {
      state.replyToAll = reply ?? (() => null);
    },
    /** Handles the requests on the route by themselves, before their body is read. */
    handle: (route: Route, handler: Handler) => void state.handlers.set(route, handler),
    /** Accepts requests on the route and handles none until the returned function is called. */
    hold: (route: Route) => state.hold(route),
    /** As `hold`, but each answer is made when its request arrives, and only its sending waits. */
    holdAnswers: (route: Route) => state.hold(`answer to ${route}`),
    /** Resolves with the oldest accepted job that no earlier call returned, or with the next one. */
    nextJob: () => state.nextJob(),
    /** Sets the outcomes of the next POSTs of this text. Without one left, a POST is accepted. */
    script: (text: string, next: Outcome[]) => void state.scripts.set(text, [...next]),
    clearScripts: () => state.scripts.clear(),
    /** Every POST of a lip-sync in its order, with what became of it. */
    posts: state.posts,
    isHeld: (replyRef: string) => state.isHeld(replyRef),
    /** Answers a POST that a script holds. An outcome cannot remove a job that exists. */
    answerHeld: (replyRef: string, outcome: Outcome) => state.answerHeld(replyRef, outcome),
    /** Removes every job, video, script and override. */
    reset: () => state.reset(),
    countOf: (route: Route) =>
      state.requests.filter((seen) => routeOf(seen)?.route === route).length,
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function answer(
  state: UpstreamState,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { method = '', url = '', headers } = request;
  const asked = routeOf({ method, url });
  const handler = asked && state.handlers.get(asked.route);
  if (handler !== undefined) return handler(request, response);
  const seen: SeenRequest = { method, url, headers, body: await readBody(request) };
  state.requests.push(seen);
  if (state.behaviour.delayMs > 0) await wait(state.behaviour.delayMs);
  if (asked !== undefined) await state.passGate(asked.route);
  const reply = await replyTo(state, seen, asked);
  if (asked !== undefined) await state.passGate(`answer to ${asked.route}`);
  if (reply.isCut === true) {
    response.destroy();
    return;
  }
  response.writeHead(reply.status, reply.headers ?? { 'content-type': 'application/json' });
  response.end(reply.body);
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}
