import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type {
  IncomingFile,
  Interruption,
  Reception,
  RejectionReason,
  UploadService,
} from '../../domains/uploads/service.ts';
import { type Failure, type FailureCode, RateLimitedError } from '../../errors.ts';
import { encodeId } from '../../graphql/ids.ts';
import type { Log } from '../../log.ts';

/** A refusal is seen by its client only if the connection outlives it a little; see `linger`. */
const lingerMs = 1_000;
const lingerBytes = 1024 ** 2;

export type UploadDoorOptions = {
  uploads: Pick<UploadService, 'receive'>;
  log: Log;
  /** Aborted when the process stops: uploads under way end at once, and their clients are told to come back. */
  stopping?: AbortSignal | undefined;
};

export type UploadDoor = (
  request: IncomingMessage,
  response: ServerResponse,
  token: string,
) => Promise<void>;

type Answer = { status: number; body: object; headers?: Record<string, string> };

const statusByReason: Record<Exclude<RejectionReason, 'UPSTREAM'>, number> = {
  UNKNOWN: 404,
  EXPIRED: 410,
  USED: 409,
  WRONG_SIZE: 400,
  TOO_LARGE: 413,
  WRONG_KIND: 415,
  STALLED: 408,
  // Nobody reads this one.
  CLIENT_LEFT: 400,
  SERVER_STOPS: 503,
};

/** What the upstream said about the file is the client's; what it said about this server or itself is a bad gateway. */
const statusByUpstreamCode: Partial<Record<FailureCode, number>> = {
  INVALID_INPUT: 400,
  CONTENT_MODERATED: 422,
  RATE_LIMITED: 429,
};

/**
 * PUT /uploads/<token>: the raw bytes of one file, streamed on as they come. The token in the path is the only credential.
 *
 * The server in front must not bound the whole request in time (`requestTimeout: 0`): 5 GB take as long as they take, and both
 * ends have idle timeouts here. Never rejects.
 */
export function createUploadDoor({ uploads, log, stopping }: UploadDoorOptions): UploadDoor {
  return async (request, response, token) => {
    // A broken connection is learnt from the body and from `close`; without a listener it would end the process.
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    const body = request.iterator({ destroyOnReturn: false });
    const { signal, settle } = watchClient(response, stopping);
    const answer = await answerTo(request, () =>
      uploads.receive(token, { body, contentLength: lengthOf(request), signal }),
    ).catch((error: unknown): Answer => {
      log.error({ err: error }, 'an upload failed');
      return {
        status: 500,
        body: { code: 'INTERNAL_SERVER_ERROR', message: 'Something went wrong here.' },
      };
    });
    settle();
    await send(response, answer, { request, body });
  };
}

async function answerTo(
  request: IncomingMessage,
  receive: () => Promise<Reception>,
): Promise<Answer> {
  if (request.method !== 'PUT') {
    const message = 'Send the file with PUT.';
    return { status: 405, body: { code: 'INVALID_INPUT', message }, headers: { allow: 'PUT' } };
  }
  return answerOf(await receive());
}

function answerOf(reception: Reception): Answer {
  if (reception.kind === 'rejected') return refusalAnswer(reception.reason, reception.failure);
  const { id, state, durationSeconds } = reception.upload;
  return { status: 200, body: { id: encodeId('Upload', id), state, durationSeconds } };
}

function refusalAnswer(reason: RejectionReason, failure: Failure): Answer {
  const { code, message, retryAfterSeconds } = failure;
  return {
    status: reason === 'UPSTREAM' ? upstreamStatus(failure) : statusByReason[reason],
    body: { code, message },
    headers:
      failure instanceof RateLimitedError ? { 'retry-after': String(retryAfterSeconds) } : {},
  };
}

function upstreamStatus({ code }: Failure): number {
  return statusByUpstreamCode[code] ?? 502;
}

/** Null for a chunked body. node's parser has refused everything that is no number. */
function lengthOf({ headers }: IncomingMessage): number | null {
  if (headers['content-length'] !== undefined) return Number(headers['content-length']);
  return headers['transfer-encoding'] === undefined ? 0 : null;
}

/** Aborts when the client leaves or the process stops, whichever is first, until the outcome is settled. */
function watchClient(response: ServerResponse, stopping: AbortSignal | undefined) {
  const controller = new AbortController();
  const abort = (reason: Interruption) => controller.abort(reason);
  const onClose = () => abort('CLIENT_LEFT');
  const onStop = () => abort('SERVER_STOPS');
  response.once('close', onClose);
  stopping?.addEventListener('abort', onStop, { once: true });
  if (stopping?.aborted === true) onStop();
  const settle = () => {
    response.off('close', onClose);
    stopping?.removeEventListener('abort', onStop);
  };
  return { signal: controller.signal, settle };
}

type Unread = { request: IncomingMessage; body: IncomingFile['body'] };

async function send(response: ServerResponse, answer: Answer, unread: Unread): Promise<void> {
  if (response.destroyed) return;
  const text = JSON.stringify(answer.body);
  const isRead = unread.request.readableEnded;
  response.writeHead(answer.status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    ...answer.headers,
    ...(isRead ? {} : { connection: 'close' }),
  });
  response.write(text);
  if (!isRead) await linger(response, unread.body);
  response.end();
}

/**
 * Closing a socket with unread bytes resets it, and the reset may destroy the answer before the client has read it. So the
 * connection stays for a moment: a little is read and thrown away, for those who have nearly sent everything; the rest is
 * left where it is, which stops the client.
 */
async function linger(response: ServerResponse, body: IncomingFile['body']): Promise<void> {
  const over = new AbortController();
  const end = () => over.abort();
  response.once('close', end);
  discard(body).then((isAtEnd) => isAtEnd && end(), end);
  await delay(lingerMs, undefined, { signal: over.signal }).catch(() => undefined);
  response.off('close', end);
}

/** @returns whether the end came within the first megabyte */
async function discard(body: IncomingFile['body']): Promise<boolean> {
  let bytes = 0;
  while (bytes < lingerBytes) {
    const { done, value } = await body.next();
    if (done === true) return true;
    bytes += value.byteLength;
  }
  return false;
}
