import type { GraphQLError } from 'graphql';
import { NotAuthenticatedError } from '../../errors.ts';
import { toGraphQLError } from '../../graphql/errors.ts';
import { requestError, stripHttpExtension, unavailableError } from '../operation/request-error.ts';

/** Why this server ends a stream that is not complete. */
export type EndReason =
  | 'SIGNED_OUT'
  | 'SERVER_STOPS'
  /** The database is not available. */
  | 'UNAVAILABLE';

/** How results are written to an HTTP response that stays open. */
export type StreamFormat = {
  headers: Readonly<Record<string, string>>;
  /** Sent before the first result. */
  start: string;
  /** Sent while there is no result, so that proxies do not cut the connection. */
  heartbeat: string;
  /** @param cursor of the event; null for a result that is not an event */
  frame(json: string, cursor: string | null): string;
  /** Sent after the last result. The client does not reconnect. */
  complete: string;
  /** Sent when this server ends the stream before it is complete. The client reconnects. */
  interrupted(reason: EndReason): string;
};

/** Headers of a response that stays open. */
export const openResponse = {
  'cache-control': 'no-cache, no-transform',
  connection: 'keep-alive',
  // nginx would keep events until its buffer is full.
  'x-accel-buffering': 'no',
};

/** How long an EventSource waits before it reconnects. */
const retryMs = 1_000;

/** The comments at the end of a stream that is not complete. */
const comments: Record<EndReason, string> = {
  SIGNED_OUT: ': sign in again\n\n',
  SERVER_STOPS: '',
  UNAVAILABLE: ': temporarily unavailable\n\n',
};

/** Server-sent events, in the "distinct connections" mode of graphql-sse. */
export const serverSentEvents: StreamFormat = {
  headers: { ...openResponse, 'content-type': 'text/event-stream; charset=utf-8' },
  start: `retry: ${retryMs}\n\n`,
  heartbeat: ':\n\n',
  // Browsers send the id back as `Last-Event-ID`, whether or not the client selected the cursor.
  frame: (json, cursor) =>
    `${cursor === null ? '' : `id: ${cursor}\n`}event: next\ndata: ${json}\n\n`,
  complete: 'event: complete\ndata:\n\n',
  // Without `complete` the client reconnects.
  interrupted: (reason) => comments[reason],
};

/** Accepted only with the parameter `subscriptionSpec=1.0`, which the normalized Accept header no longer has. */
export const multipartType = 'multipart/mixed';

const boundary = 'graphql';

/** Why this server ends a subscription, for protocols that have errors for it. */
export function interruptionError(reason: EndReason): GraphQLError {
  if (reason === 'SIGNED_OUT') return toGraphQLError(new NotAuthenticatedError());
  return reason === 'UNAVAILABLE'
    ? unavailableError()
    : requestError('SERVER_STOPPING', 'The server is stopping. Subscribe again.');
}

/**
 * Apollo's multipart protocol for subscriptions over HTTP, of Apollo Client's HttpLink, Apollo iOS and Kotlin, and routers:
 * https://www.apollographql.com/docs/graphos/routing/operations/subscriptions/multipart-protocol
 *
 * The delimiter of the next part is sent with each part: parsers deliver a part when they have read the delimiter after it.
 */
export const multipartSubscription: StreamFormat = {
  headers: {
    ...openResponse,
    'content-type': `${multipartType};boundary="${boundary}";subscriptionSpec=1.0`,
  },
  start: `--${boundary}`,
  heartbeat: toPart('{}'),
  frame: (json) => toPart(`{"payload":${json}}`),
  complete: '--\r\n',
  // Clients treat `payload: null` with errors as a failed connection.
  interrupted(reason) {
    const errors = stripHttpExtension([interruptionError(reason)]);
    return `${toPart(JSON.stringify({ payload: null, errors }))}--\r\n`;
  },
};

function toPart(json: string): string {
  return `\r\ncontent-type: application/json; charset=utf-8\r\n\r\n${json}\r\n--${boundary}`;
}
