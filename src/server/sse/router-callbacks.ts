import { setTimeout as wait } from 'node:timers/promises';
import { isAsyncIterable } from '@envelop/core';
import { GraphQLError } from 'graphql';
import type { FetchAPI, Plugin } from 'graphql-yoga';
import { z } from 'zod';
import type { WebhookService } from '../../domains/webhooks/service.ts';
import { NotAuthenticatedError } from '../../errors.ts';
import { isAdmitted } from '../../graphql/access.ts';
import type { Caller, Context } from '../../graphql/context.ts';
import { toGraphQLError } from '../../graphql/errors.ts';
import type { Log } from '../../log.ts';
import { nobody } from '../auth/authenticate.ts';
import { mask } from '../operation/masking.ts';
import { refuse, withoutHttp } from '../operation/request-error.ts';
import { answerRefusal } from '../operation/request-params.ts';
import type { EventStreams, Place } from './streams.ts';

/**
 * "HTTP callback protocol for GraphQL subscriptions" 1.0, in which a router keeps no connection: it names an address in
 * `extensions.subscription`, and is told there of each event. Apollo Router, Hive Gateway and Hive Router speak it:
 * https://www.apollographql.com/docs/graphos/routing/operations/subscriptions/callback-protocol
 */
const protocol = { 'subscription-protocol': 'callback/1.0' };

/** As the router sends it. Its default for the heartbeat is that of the protocol's first version. */
const targetShape = z.object({
  callbackUrl: z.string(),
  subscriptionId: z.string().min(1).max(256),
  verifier: z.string().max(1024),
  /** 0: none are wanted. */
  heartbeatIntervalMs: z.int().min(0).max(3_600_000).default(5_000),
});

type Target = z.output<typeof targetShape>;
type Message =
  | { action: 'check' }
  | { action: 'next'; payload: unknown }
  | { action: 'complete'; errors?: readonly GraphQLError[] };

/**
 * A router that misses one heartbeat gives up, so they are sent twice as often as it asks. And at least as often as this,
 * since nothing else tells that the last watcher of a quiet job has left: Hive Gateway asks for one in 50 s by itself.
 */
const heartbeatsPerInterval = 2;
const fastestHeartbeatMs = 100;
const slowestHeartbeatMs = 3_000;

/** A router may answer 404 while it is still writing down what it has just asked for, and 5xx for a moment. */
const pausesMs = [50, 200, 1_000];

/** To tell the router of an end that is ours: beyond this its heartbeats tell it. */
const farewellMs = 1_000;

type Parts = {
  streams: Pick<EventStreams, 'enter'>;
  webhooks: Pick<WebhookService, 'checkUrl' | 'sendOnce'>;
  log: Log;
};

export type SubscriptionCallbacks = ReturnType<typeof createSubscriptionCallbacks>;

export function createSubscriptionCallbacks(parts: Parts) {
  const targets = new WeakMap<Request, unknown>();
  const callers = new WeakMap<Request, Caller>();
  const farewells = new Set<Promise<unknown>>();

  const plugin: Plugin = {
    onParams({ request, params }) {
      if (params.extensions?.subscription !== undefined) {
        targets.set(request, params.extensions.subscription);
      }
    },
    onExecutionResult({ request, context }) {
      const { caller } = context as Partial<Context>;
      if (caller !== undefined) callers.set(request, caller);
    },
    onResultProcess({ request, result, resultProcessor, setResultProcessor }) {
      if (resultProcessor !== undefined || !isAsyncIterable(result) || !targets.has(request))
        return;
      const asked = { target: targets.get(request), caller: callers.get(request) ?? nobody };
      setResultProcessor(
        (events, api) =>
          open(
            { ...parts, farewells },
            { ...asked, events: events as AsyncIterable<unknown>, api },
          ),
        'application/json',
      );
    },
  };
  return {
    plugin,
    /** Resolves when the routers that could be told of the end of their subscriptions have been. */
    close: () => Promise.allSettled(farewells),
  };
}

type Asked = { target: unknown; caller: Caller; events: AsyncIterable<unknown>; api: FetchAPI };

async function open(
  parts: Parts & { farewells: Set<Promise<unknown>> },
  { target, caller, events, api }: Asked,
): Promise<Response> {
  const iterator = events[Symbol.asyncIterator]();
  const { data, refusal } = admit(parts, target, caller);
  if (data === null) {
    await iterator.return?.();
    return answerRefusal(api, [refusal]);
  }
  const courier = new Courier(parts, data, iterator);
  if (!(await courier.begin(caller))) {
    const words = 'The callbackUrl did not take the check of this subscription.';
    return answerRefusal(api, [refuse('CALLBACK_REFUSED', words)]);
  }
  const headers = { ...protocol, 'content-type': 'application/json; charset=utf-8' };
  return new api.Response(JSON.stringify({ data: null }), { headers });
}

/** Nobody may make us call: whoever watches nothing would have a POST to anywhere for the asking. */
function admit({ webhooks }: Parts, asked: unknown, caller: Caller) {
  if (!isAdmitted(caller)) {
    return { data: null, refusal: toGraphQLError(new NotAuthenticatedError()) };
  }
  const { data } = targetShape.safeParse(asked);
  if (data === undefined) {
    const words = 'extensions.subscription is not what the callback protocol 1.0 says.';
    return { data: null, refusal: refuse('BAD_REQUEST', words) };
  }
  const reason = webhooks.checkUrl(data.callbackUrl);
  return reason === null
    ? { data, refusal: null }
    : { data: null, refusal: refuse('CALLBACK_REFUSED', reason) };
}

/** Carries the events of one subscription to its router, one after the other, until either has had enough. */
class Courier {
  readonly #parts: Parts & { farewells: Set<Promise<unknown>> };
  readonly #target: Target;
  readonly #events: AsyncIterator<unknown>;
  readonly #over = new AbortController();
  #place: Place | null = null;
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(
    parts: Parts & { farewells: Set<Promise<unknown>> },
    target: Target,
    events: AsyncIterator<unknown>,
  ) {
    this.#parts = parts;
    this.#target = target;
    this.#events = events;
  }

  /** Whether the router has taken the check. From then on it is told; else the source has ended. */
  async begin(caller: Caller): Promise<boolean> {
    this.#place = this.#parts.streams.enter(caller, (lastWords) => this.#endByUs(lastWords !== ''));
    const isTaken = await this.#tell({ action: 'check' }, 404);
    if (!isTaken) {
      await this.#leave();
      return false;
    }
    this.#beat();
    void this.#carry();
    return true;
  }

  async #carry(): Promise<void> {
    try {
      for (;;) {
        const { done, value } = await this.#events.next();
        if (this.#over.signal.aborted) return;
        const message: Message =
          done === true ? { action: 'complete' } : { action: 'next', payload: value };
        const isTaken = await this.#tell(message);
        if (done === true || !isTaken) return;
      }
    } catch (error) {
      await this.#tell({ action: 'complete', errors: [mask(error, this.#parts.log)] });
    } finally {
      await this.#leave();
    }
  }

  #beat(): void {
    const { heartbeatIntervalMs } = this.#target;
    if (heartbeatIntervalMs === 0) return;
    const everyMs = Math.min(
      Math.max(fastestHeartbeatMs, heartbeatIntervalMs / heartbeatsPerInterval),
      slowestHeartbeatMs,
    );
    let isUnderWay = false;
    this.#heartbeat = setInterval(async () => {
      if (isUnderWay) return;
      isUnderWay = true;
      if (!(await this.#tell({ action: 'check' }))) await this.#leave();
      isUnderWay = false;
    }, everyMs);
  }

  /**
   * Whether the router took it. 404 means that it wants no more, and so does any other answer that is none of the
   * protocol, such as a 200 to a check: somebody else's server may say that to anything. What may pass is tried again.
   */
  async #tell(message: Message, passing?: number): Promise<boolean> {
    const { signal } = this.#over;
    for (const pauseMs of [...pausesMs, null]) {
      const answer = await this.#post(message, signal);
      const { status = null, problem = null } = answer ?? {};
      if (problem === null && status !== null) return message.action !== 'check' || status === 204;
      const mayPass =
        problem === 'CONNECTION_FAILED' ||
        (status !== null && (status >= 500 || status === passing));
      if (signal.aborted || !mayPass || pauseMs === null) return false;
      await wait(pauseMs, undefined, { signal }).catch(() => undefined);
    }
    return false;
  }

  #post(message: Message, signal: AbortSignal) {
    const { callbackUrl, subscriptionId: id, verifier } = this.#target;
    const headers = { 'content-type': 'application/json', ...protocol };
    const body = JSON.stringify({ kind: 'subscription', ...message, id, verifier });
    return this.#parts.webhooks.sendOnce({ url: callbackUrl, headers, body }, signal);
  }

  /** The caller's time is over, or the process stops: whoever watches has to ask again, from its last cursor. */
  #endByUs(isSignedOut: boolean): void {
    const error = isSignedOut
      ? toGraphQLError(new NotAuthenticatedError())
      : new GraphQLError('The server stops. Subscribe again.', {
          extensions: { code: 'SERVER_STOPPING' },
        });
    const message: Message = { action: 'complete', errors: withoutHttp([error]) };
    const farewell = this.#post(message, AbortSignal.timeout(farewellMs)).finally(() =>
      this.#parts.farewells.delete(farewell),
    );
    this.#parts.farewells.add(farewell);
    void this.#leave();
  }

  async #leave(): Promise<void> {
    clearInterval(this.#heartbeat);
    this.#over.abort();
    this.#place?.leave();
    this.#place = null;
    await this.#events.return?.();
  }
}
