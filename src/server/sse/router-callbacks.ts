import { setTimeout as wait } from 'node:timers/promises';
import type { GraphQLError } from 'graphql';
import type { FetchAPI } from 'graphql-yoga';
import type { WebhookService } from '../../domains/webhooks/service.ts';
import { QuotaExceededError } from '../../errors.ts';
import type { Caller } from '../../graphql/context.ts';
import { toGraphQLError } from '../../graphql/errors.ts';
import type { Log } from '../../log.ts';
import { OwnerSlots } from '../../owner-slots.ts';
import { unauthenticatedCaller } from '../auth/authenticate.ts';
import { maskError } from '../operation/masking.ts';
import type { PipelinePlugin } from '../operation/plugin.ts';
import { requestError, stripHttpExtension } from '../operation/request-error.ts';
import { requestErrorResponse } from '../operation/request-params.ts';
import { PayloadStream } from '../subscriptions/payload-stream.ts';
import { checkTarget, type Target } from './callback-target.ts';
import { type EndReason, interruptionError } from './formats.ts';
import { startHeartbeat } from './heartbeat.ts';
import type { EventStreams, OpenStream } from './streams.ts';

/**
 * "HTTP callback protocol for GraphQL subscriptions" 1.0: a federation router holds no connection. It names a URL in
 * `extensions.subscription`, and this server POSTs each event there. Apollo Router, Hive Gateway and Hive Router use it:
 * https://www.apollographql.com/docs/graphos/routing/operations/subscriptions/callback-protocol
 */
const protocolHeader = { 'subscription-protocol': 'callback/1.0' };

type Message =
  | { action: 'check' }
  | { action: 'next'; payload: unknown }
  | { action: 'complete'; errors?: readonly GraphQLError[] };

/**
 * Heartbeats are sent twice as often as the router asks, because a router gives up after one that is missing. They are
 * sent at least every `maxHeartbeatMs`: only the router's answer reveals that the last subscriber of a quiet job has
 * disconnected, and Hive Gateway asks for one in 50 s by default.
 */
const heartbeatsPerInterval = 2;
const maxHeartbeatMs = 3_000;

/** Pauses between attempts. A router can answer 404 while it is still storing the subscription, and 5xx for a moment. */
const retryPausesMs = [50, 200, 1_000];

/** Timeout of the notice that this server ends the subscription. Without it the missing heartbeats say the same. */
const endNoticeTimeoutMs = 1_000;

/**
 * Checks of new subscriptions that routers have not answered yet, and half of them for one owner. A router answers in
 * milliseconds; each one that does not holds a request and a connection for ten seconds.
 */
const maxPendingChecks = 1_024;

/** By then the oldest of the pending checks has been answered or has timed out. */
const busyRetrySeconds = 10;

type Parts = {
  streams: Pick<EventStreams, 'register'>;
  webhooks: Pick<WebhookService, 'checkUrl' | 'sendOnce'>;
  log: Log;
};

type PublisherParts = Parts & { endNotices: Set<Promise<unknown>>; pendingChecks: OwnerSlots };

export type RouterCallbacks = ReturnType<typeof createRouterCallbacks>;

export function createRouterCallbacks(parts: Parts, maxChecks = maxPendingChecks) {
  const endNotices = new Set<Promise<unknown>>();
  const pendingChecks = new OwnerSlots({ all: maxChecks });

  const plugin: PipelinePlugin = {
    onResultProcess({ result, resultProcessor, serverContext, setResultProcessor }) {
      const target = serverContext.params?.extensions?.subscription;
      if (
        resultProcessor !== undefined ||
        !(result instanceof PayloadStream) ||
        target === undefined
      )
        return;
      const caller = serverContext.caller ?? unauthenticatedCaller;
      setResultProcessor(
        (events, api) =>
          startPublishing(
            { ...parts, endNotices, pendingChecks },
            { target, caller, events: events as AsyncIterable<unknown>, api },
          ),
        'application/json',
      );
    },
  };
  return {
    plugin,
    /** Resolves when every router has received the notice that its subscription ends, or did not answer in time. */
    close: () => Promise.allSettled(endNotices),
  };
}

type CallbackRequest = {
  target: unknown;
  caller: Caller;
  events: AsyncIterable<unknown>;
  api: FetchAPI;
};

async function startPublishing(
  parts: PublisherParts,
  { target, caller, events, api }: CallbackRequest,
): Promise<Response> {
  const iterator = events[Symbol.asyncIterator]();
  const { data, error } = checkTarget(parts.webhooks, target, caller);
  if (data === null) {
    await iterator.return?.();
    return requestErrorResponse(api, [error]);
  }
  const release = parts.pendingChecks.acquire(caller.owner);
  if (release === null) {
    await iterator.return?.();
    const failure = new QuotaExceededError('subscriptions that start', busyRetrySeconds);
    return requestErrorResponse(api, [toGraphQLError(failure)], 429);
  }
  const publisher = new EventPublisher(parts, { target: data, caller, events: iterator });
  const isConfirmed = await publisher.start().finally(release);
  if (!isConfirmed) {
    const message = 'The callbackUrl did not confirm the check of this subscription.';
    return requestErrorResponse(api, [requestError('CALLBACK_REFUSED', message)]);
  }
  const headers = { ...protocolHeader, 'content-type': 'application/json; charset=utf-8' };
  return new api.Response(JSON.stringify({ data: null }), { headers });
}

type Subscription = { target: Target; caller: Caller; events: AsyncIterator<unknown> };

/** Sends the events of one subscription to its router, one after the other, until either side ends it. */
class EventPublisher {
  readonly #parts: PublisherParts;
  readonly #target: Target;
  readonly #caller: Caller;
  readonly #events: AsyncIterator<unknown>;
  readonly #closing = new AbortController();
  #stream: OpenStream | null = null;
  #stopHeartbeat = () => {};

  constructor(parts: PublisherParts, { target, caller, events }: Subscription) {
    this.#parts = parts;
    this.#target = target;
    this.#caller = caller;
    this.#events = events;
  }

  /** True if the router confirmed the check: then events are sent. False: the subscription has ended. */
  async start(): Promise<boolean> {
    const end = (reason: EndReason) => this.#endByServer(reason);
    this.#stream = this.#parts.streams.register(this.#caller, end, 'callback');
    const isConfirmed = await this.#send({ action: 'check' }, 404);
    if (!isConfirmed) {
      await this.#close();
      return false;
    }
    this.#startHeartbeat();
    void this.#sendEvents();
    return true;
  }

  async #sendEvents(): Promise<void> {
    try {
      for (;;) {
        const { done, value } = await this.#events.next();
        if (this.#closing.signal.aborted) return;
        const message: Message =
          done === true ? { action: 'complete' } : { action: 'next', payload: value };
        const isAccepted = await this.#send(message);
        if (done === true || !isAccepted) return;
      }
    } catch (error) {
      const masked = maskError(error, this.#parts.log, { caller: this.#caller });
      await this.#send({ action: 'complete', errors: stripHttpExtension([masked]) });
    } finally {
      await this.#close();
    }
  }

  #startHeartbeat(): void {
    const { heartbeatIntervalMs } = this.#target;
    if (heartbeatIntervalMs === 0) return;
    const everyMs = Math.min(heartbeatIntervalMs / heartbeatsPerInterval, maxHeartbeatMs);
    this.#stopHeartbeat = startHeartbeat(async () => {
      if (!(await this.#send({ action: 'check' }))) await this.#close();
    }, everyMs);
  }

  /**
   * True if the router accepted the message. 404 ends the subscription, and so does any answer outside the protocol, such
   * as 200 to a check: an unrelated server can answer that to anything. Connection errors, 5xx and `retriedStatus` are
   * retried.
   */
  async #send(message: Message, retriedStatus?: number): Promise<boolean> {
    const { signal } = this.#closing;
    for (const pauseMs of [...retryPausesMs, null]) {
      const answer = await this.#post(message, signal);
      const { status = null, problem = null } = answer ?? {};
      if (problem === null && status !== null) return message.action !== 'check' || status === 204;
      const isTransient =
        problem === 'CONNECTION_FAILED' ||
        (status !== null && (status >= 500 || status === retriedStatus));
      if (signal.aborted || !isTransient || pauseMs === null) return false;
      await wait(pauseMs, undefined, { signal }).catch(() => undefined);
    }
    return false;
  }

  #post(message: Message, signal: AbortSignal) {
    const { callbackUrl, subscriptionId: id, verifier } = this.#target;
    const headers = { 'content-type': 'application/json', ...protocolHeader };
    const body = JSON.stringify({ kind: 'subscription', ...message, id, verifier });
    return this.#parts.webhooks.sendOnce({ url: callbackUrl, headers, body }, signal);
  }

  /** Ends the subscription and sends the router the reason. Its clients can subscribe again from their last cursor. */
  #endByServer(reason: EndReason): void {
    const errors = stripHttpExtension([interruptionError(reason)]);
    const message: Message = { action: 'complete', errors };
    const notice = this.#post(message, AbortSignal.timeout(endNoticeTimeoutMs)).finally(() =>
      this.#parts.endNotices.delete(notice),
    );
    this.#parts.endNotices.add(notice);
    void this.#close();
  }

  async #close(): Promise<void> {
    this.#stopHeartbeat();
    this.#closing.abort();
    this.#stream?.close();
    this.#stream = null;
    await this.#events.return?.();
  }
}
