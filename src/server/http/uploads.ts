import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type {
  IncomingFile,
  Interruption,
  Reception,
  RejectionReason,
  UploadService,
} from '../../domains/uploads/service.ts';
import { maxDiscardedBytes } from '../../end-after-body.ts';
import { type Failure, type FailureCode, InvalidInputError } from '../../errors.ts';
import { encodeId } from '../../graphql/ids.ts';
import type { Log } from '../../log.ts';
import { isTemporarilyUnavailable, unavailableRetrySeconds } from '../../unavailable.ts';
import { unavailableMessage } from '../operation/request-error.ts';

/** How long an early response keeps its connection open, and for how long without a byte; see `waitForClient`. */
const closeAfterMs = 10_000;
const maxPauseMs = 1_000;

export type UploadHandlerOptions = {
  uploads: Pick<UploadService, 'receive'>;
  log: Log;
  /** Aborts when the process stops: running uploads end at once, and their clients get 503. */
  stopping?: AbortSignal | undefined;
};

export type UploadHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  token: string,
) => Promise<void>;

type UploadResponse = { status: number; body: object; headers?: Record<string, string> };

const statusByReason: Record<Exclude<RejectionReason, 'UPSTREAM'>, number> = {
  UNKNOWN: 404,
  EXPIRED: 410,
  USED: 409,
  BUSY: 429,
  WRONG_SIZE: 400,
  TOO_LARGE: 413,
  WRONG_KIND: 415,
  TOO_LONG: 422,
  STALLED: 408,
  // The next three are reasons of imports alone, which have no client.
  UNREACHABLE: 502,
  NOT_ALLOWED: 400,
  NOT_SUPPORTED: 415,
  // The client has disconnected, so this one is never read.
  CLIENT_LEFT: 400,
  SERVER_STOPS: 503,
};

/** The upstream's errors about the file are the client's errors. Its other errors are 502. */
const statusByUpstreamCode: Partial<Record<FailureCode, number>> = {
  INVALID_INPUT: 400,
  CONTENT_MODERATED: 422,
  RATE_LIMITED: 429,
};

/**
 * PUT /uploads/<token>: the raw bytes of one file, streamed to the upstream. The token in the path is the only credential.
 *
 * The HTTP server must have no timeout for the whole request (`requestTimeout: 0`): 5 GB can take hours, and idle timeouts
 * on both sides end stalled uploads. Never rejects.
 */
export function createUploadHandler({
  uploads,
  log,
  stopping,
}: UploadHandlerOptions): UploadHandler {
  return async (request, response, token) => {
    // A broken connection is handled through the body and `close`. Without a listener the error would end the process.
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    const body = request.iterator({ destroyOnReturn: false });
    const { signal, stopWatching } = watchClient(response, stopping);
    const answer = await receiveFile(request, () =>
      uploads.receive(token, { body, contentLength: contentLengthOf(request), signal }),
    ).catch((error: unknown): UploadResponse => {
      if (isTemporarilyUnavailable(error)) {
        log.warn({ err: error }, 'an upload failed: the database is not available');
        return {
          status: 503,
          body: { code: 'TEMPORARILY_UNAVAILABLE', message: unavailableMessage },
          headers: { 'retry-after': `${unavailableRetrySeconds}` },
        };
      }
      log.error({ err: error }, 'an upload failed');
      return {
        status: 500,
        body: { code: 'INTERNAL_SERVER_ERROR', message: 'Something went wrong.' },
      };
    });
    stopWatching();
    await send(response, answer, { request, body });
  };
}

/** Stored as if it were the file, a part of a recording would be spoken, and paid for. */
function isPart({ headers }: IncomingMessage): boolean {
  const range = headers['content-range'];
  if (range === undefined) return false;
  const [, last, size] = /^bytes 0-(\d+)\/(\d+)$/.exec(range) ?? [];
  return last === undefined || Number(last) + 1 !== Number(size);
}

async function receiveFile(
  request: IncomingMessage,
  receive: () => Promise<Reception>,
): Promise<UploadResponse> {
  if (request.method !== 'PUT') {
    const message = 'Send the file with PUT.';
    return { status: 405, body: { code: 'INVALID_INPUT', message }, headers: { allow: 'PUT' } };
  }
  if (isPart(request)) {
    const message = 'Send the whole file in one request, without Content-Range.';
    return { status: 400, body: { code: 'INVALID_INPUT', message } };
  }
  return toResponse(await receive());
}

function toResponse(reception: Reception): UploadResponse {
  if (reception.kind === 'rejected') return toErrorResponse(reception.reason, reception.failure);
  const { id, state, durationSeconds } = reception.upload;
  return { status: 200, body: { id: encodeId('Upload', id), status: state, durationSeconds } };
}

function toErrorResponse(reason: RejectionReason, failure: Failure): UploadResponse {
  const { code, message, retryAfterSeconds } = failure;
  return {
    status: reason === 'UPSTREAM' ? statusOfUpstreamFailure(failure) : statusByReason[reason],
    body: { code, message, ...issueCodeOf(failure) },
    headers: retryAfterSeconds === null ? {} : { 'retry-after': String(retryAfterSeconds) },
  };
}

/** What is wrong with the file, for programs. */
function issueCodeOf(failure: Failure): { issueCode?: string } {
  const [issue] = failure instanceof InvalidInputError ? failure.issues : [];
  return issue === undefined ? {} : { issueCode: issue.code };
}

function statusOfUpstreamFailure({ code }: Failure): number {
  return statusByUpstreamCode[code] ?? 502;
}

/** Null for a chunked body. Node's parser has rejected every value that is not a number. */
function contentLengthOf({ headers }: IncomingMessage): number | null {
  if (headers['content-length'] !== undefined) return Number(headers['content-length']);
  return headers['transfer-encoding'] === undefined ? 0 : null;
}

/** A signal that aborts when the client disconnects or the process stops, until `stopWatching` is called. */
function watchClient(response: ServerResponse, stopping: AbortSignal | undefined) {
  const controller = new AbortController();
  const abort = (reason: Interruption) => controller.abort(reason);
  const onClose = () => abort('CLIENT_LEFT');
  const onStop = () => abort('SERVER_STOPS');
  response.once('close', onClose);
  stopping?.addEventListener('abort', onStop, { once: true });
  if (stopping?.aborted === true) onStop();
  const stopWatching = () => {
    response.off('close', onClose);
    stopping?.removeEventListener('abort', onStop);
  };
  return { signal: controller.signal, stopWatching };
}

type Incoming = { request: IncomingMessage; body: IncomingFile['body'] };

async function send(
  response: ServerResponse,
  answer: UploadResponse,
  incoming: Incoming,
): Promise<void> {
  if (response.destroyed) return;
  const text = JSON.stringify(answer.body);
  const isRead = incoming.request.readableEnded;
  response.writeHead(answer.status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    ...answer.headers,
    ...(isRead ? {} : { connection: 'close' }),
  });
  response.write(text);
  if (!isRead) await waitForClient(response, incoming.body);
  response.end();
}

/**
 * Keeps the connection open after an early response, until the client has sent the rest or pauses. Closing a socket with
 * unread bytes resets it, and the reset can discard the response before the client has read it. What is too large to be
 * discarded stays unread, and backpressure stops the client.
 */
async function waitForClient(response: ServerResponse, body: IncomingFile['body']): Promise<void> {
  const over = new AbortController();
  const end = () => over.abort();
  response.once('close', end);
  await discard(body, over.signal).catch(() => undefined);
  response.off('close', end);
}

async function discard(body: IncomingFile['body'], signal: AbortSignal): Promise<void> {
  const closeAt = performance.now() + closeAfterMs;
  let bytes = 0;
  while (bytes < maxDiscardedBytes && performance.now() < closeAt) {
    const pause = delay(maxPauseMs, undefined, { signal, ref: false });
    const next = await Promise.race([body.next(), pause]);
    if (next === undefined || next.done === true) return;
    bytes += next.value.byteLength;
  }
}
