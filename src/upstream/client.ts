import type { z } from 'zod';
import { type Failure, UpstreamUnavailableError } from '../errors.ts';
import type { Log } from '../log.ts';
import { CoalescedReads } from './coalesced-reads.ts';
import { Connection } from './connection.ts';
import { errorTextOf, failureOfStatus, markNotRetryable } from './errors.ts';
import { measureRequest, type Reporting } from './measure.ts';
import { pathForLog, type Query, queryText } from './path.ts';
import {
  isSuccess,
  parseJson,
  parseSuccess,
  responseOrThrow,
  throwIfSourceFailed,
} from './response.ts';
import { retryRead } from './retry.ts';
import { toUploadBody } from './upload-body.ts';

const defaultRetryBaseMs = 250;

export type UpstreamOptions = Reporting & {
  /** Such as `https://api.useapi.net/v2/pixverse`. */
  baseUrl: string;
  token: string;
  /** For each attempt of a read or write: from its start to the last byte. For uploads: between two transfers of bytes. */
  timeoutMs: number;
  /** Bound of the first wait before a read is retried; it doubles each time. Default 250 ms. */
  retryBaseMs?: number;
};

export type ReadRequest<T> = { path: string; query?: Query; schema: z.ZodType<T> };

/** `signal` is aborted when the caller no longer needs the result. */
export type ReadOptions = {
  signal?: AbortSignal | undefined;
  /**
   * Never shares a response that was requested before this call, which may lack a recent change, such as a terminal
   * status. Default false.
   */
  isFresh?: boolean | undefined;
};

export type WriteRequest = {
  method: 'DELETE' | 'POST';
  path: string;
  json?: object;
  /** The failure for a response other than 2xx, where it differs from `failureOfStatus`. */
  failureOf?: (status: number, body: unknown) => Failure | undefined;
};

export type UploadRequest<T> = {
  path: string;
  query?: Query;
  schema: z.ZodType<T>;
  /** Any source of bytes, such as a `Readable`. Read with backpressure and never closed, not even on failure. */
  body: AsyncIterable<Uint8Array>;
  contentType: string;
  /** In bytes; without it the body is sent chunked. */
  contentLength?: number | undefined;
  signal?: AbortSignal | undefined;
};

/** The outcome of a POST that must never be sent twice. */
export type PostOutcome =
  /** `failure` is null exactly for a 2xx. `body` is parsed JSON, or undefined for an error response without JSON. */
  | { kind: 'answered'; status: number; body: unknown; failure: Failure | null }
  /** No byte was written to any connection: it may be sent again. */
  | { kind: 'not-sent'; failure: UpstreamUnavailableError }
  /** The upstream may have processed it. */
  | { kind: 'unknown'; failure: UpstreamUnavailableError };

export function createUpstream(options: UpstreamOptions): Upstream {
  return new Upstream(options);
}

/** The upstream over HTTP. Throws the failures of `src/errors.ts`, and the reason of an aborted signal unchanged. */
export class Upstream {
  readonly log: Log;
  readonly #options: UpstreamOptions;
  readonly #connection: Connection;
  readonly #reads = new CoalescedReads<unknown>();

  constructor(options: UpstreamOptions) {
    this.log = options.log;
    this.#options = options;
    this.#connection = new Connection(options);
  }

  /**
   * GET. Equal reads at the same time share one upstream call, which is aborted when the signals of all callers are aborted.
   * Transient failures are retried up to 3 times, each attempt with the whole timeout.
   */
  async read<T>(request: ReadRequest<T>, options: ReadOptions = {}): Promise<T> {
    const path = request.path + queryText(request.query);
    const baseMs = this.#options.retryBaseMs ?? defaultRetryBaseMs;
    const read = options.isFresh === true ? 'readFresh' : 'read';
    const body = await this.#reads[read](
      path,
      (signal) => retryRead(() => this.#get(path, signal), { baseMs, signal }),
      options.signal,
    );
    return this.#parse(request, body);
  }

  /** After a change that the upstream or another process reported: later reads share no response requested before. */
  forgetReads(): void {
    this.#reads.forgetAll();
  }

  /** Sends a write once. Gives the response's JSON, or undefined: a 204 and other responses without JSON are valid. */
  async write(request: WriteRequest): Promise<unknown> {
    const { method, path, json } = request;
    const outcome = await measureRequest(this.#options, { method, path }, () =>
      this.#connection.sendOverNewConnection(
        { method, path, ...jsonBody(json) },
        { timeoutMs: this.#options.timeoutMs, measure: 'whole' },
      ),
    );
    // Also after a failure: the write may have taken effect in part.
    this.#reads.forgetAll();
    const response = responseOrThrow(outcome, { isRepeatable: false });
    const body = parseJson(response.text);
    if (!isSuccess(response.status)) {
      const failure = request.failureOf?.(response.status, body);
      throw (
        failure ?? markNotRetryable(failureOfStatus(response.status, body, response.retryAfter))
      );
    }
    if (errorTextOf(body) !== undefined) {
      throw new UpstreamUnavailableError('INVALID_ANSWER', false);
    }
    return body;
  }

  /** Sends a POST at most once, and reports what is known of its outcome. Can't be aborted by the caller. Doesn't throw. */
  async postOnce(path: string, json: object): Promise<PostOutcome> {
    const outcome = await measureRequest(this.#options, { method: 'POST', path }, () =>
      this.#connection.sendOverNewConnection(
        { method: 'POST', path, ...jsonBody(json) },
        { timeoutMs: this.#options.timeoutMs, measure: 'whole' },
      ),
    );
    this.#reads.forgetAll();
    if (outcome.kind === 'no-response') {
      return outcome.isSent
        ? { kind: 'unknown', failure: new UpstreamUnavailableError(outcome.reason, false) }
        : { kind: 'not-sent', failure: new UpstreamUnavailableError(outcome.reason) };
    }
    const { status, retryAfter } = outcome;
    const body = parseJson(outcome.text);
    if (!isSuccess(status)) {
      return { kind: 'answered', status, body, failure: failureOfStatus(status, body, retryAfter) };
    }
    return body === undefined
      ? { kind: 'unknown', failure: new UpstreamUnavailableError('INVALID_ANSWER', false) }
      : { kind: 'answered', status, body, failure: null };
  }

  /**
   * POST of raw bytes, streamed and sent once. The idle timeout covers the source and the upstream. An error of the
   * source is thrown unchanged; a length other than `contentLength` is an `InvalidInputError`.
   */
  async upload<T>(request: UploadRequest<T>): Promise<T> {
    request.signal?.throwIfAborted();
    let sourceFailure: { error: unknown } | undefined;
    const body = toUploadBody(request.body, (error) => {
      sourceFailure = { error };
    });
    const path = request.path + queryText(request.query);
    const outcome = await measureRequest(this.#options, { method: 'POST', path }, () =>
      this.#connection
        .sendOverNewConnection(
          { method: 'POST', path, body, headers: bodyHeaders(request) },
          { timeoutMs: this.#options.timeoutMs, measure: 'idle', signal: request.signal },
        )
        .finally(() => body.destroy()),
    );
    if (outcome.kind === 'no-response') {
      throwIfSourceFailed(sourceFailure, outcome);
    }
    const response = responseOrThrow(outcome, { isRepeatable: false });
    try {
      return this.#parse(request, parseSuccess(response));
    } catch (thrown) {
      throw markNotRetryable(thrown);
    }
  }

  /** Ends the reads with CONNECTION_FAILED; waits for the writes, posts and uploads in progress. */
  async close(): Promise<void> {
    this.#reads.end(new UpstreamUnavailableError('CONNECTION_FAILED'));
    await this.#connection.close();
  }

  async #get(path: string, signal: AbortSignal): Promise<unknown> {
    const outcome = await measureRequest(this.#options, { method: 'GET', path }, () =>
      this.#connection.readOverPool(
        { path },
        { timeoutMs: this.#options.timeoutMs, measure: 'whole', signal },
      ),
    );
    return parseSuccess(responseOrThrow(outcome, { isRepeatable: true }));
  }

  #parse<T>(request: { path: string; schema: z.ZodType<T> }, body: unknown): T {
    const parsed = request.schema.safeParse(body);
    if (parsed.success) {
      return parsed.data;
    }
    const issues = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.code}`);
    const path = pathForLog(request.path);
    this.log.debug(
      { path, issues: issues.slice(0, 5) },
      'upstream response has an unexpected shape',
    );
    throw new UpstreamUnavailableError('INVALID_ANSWER');
  }
}

function jsonBody(json: object | undefined) {
  return json === undefined
    ? {}
    : { body: JSON.stringify(json), headers: { 'content-type': 'application/json' } };
}

function bodyHeaders(request: { contentType: string; contentLength?: number | undefined }) {
  const length = request.contentLength;
  return {
    'content-type': request.contentType,
    ...(length === undefined ? {} : { 'content-length': String(length) }),
  };
}
