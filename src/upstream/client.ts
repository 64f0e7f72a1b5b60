import type { z } from 'zod';
import { type Failure, UpstreamUnavailableError } from '../errors.ts';
import type { Log } from '../log.ts';
import { answerOf, bodyOf, isSuccess, jsonOf, throwIfSourceFailed } from './answer.ts';
import { Connection } from './connection.ts';
import { errorTextOf, failureOfStatus, redact, unrepeatable } from './errors.ts';
import { type Answer, codeOf, type Fault } from './exchange.ts';
import { type Query, queryText } from './path.ts';
import { retryRead } from './retry.ts';
import { SingleFlight } from './single-flight.ts';
import { toUploadBody } from './upload-body.ts';

const defaultRetryBaseMs = 250;

export type UpstreamOptions = {
  /** Such as `https://api.useapi.net/v2/pixverse`. */
  baseUrl: string;
  token: string;
  /** For each try of a read, a change or a post: from its start to the last byte. For uploads: between two moves. */
  timeoutMs: number;
  log: Log;
  /** Bound of the first wait before a read is tried again. Default 250 ms; it doubles. */
  retryBaseMs?: number;
};

export type ReadRequest<T> = { path: string; query?: Query; schema: z.ZodType<T> };

/** `signal`: its caller has left and wants no answer any more. */
export type ReadOptions = {
  signal?: AbortSignal | undefined;
  /** Never an answer that was asked for before this call: something has just changed. Default false. */
  isFresh?: boolean | undefined;
};

export type ChangeRequest = {
  method: 'DELETE' | 'POST';
  path: string;
  json?: object;
  /** What an answer other than 2xx means here, where it differs from the common table. */
  failureOf?: (status: number, body: unknown) => Failure | undefined;
};

export type UploadRequest<T> = {
  path: string;
  query?: Query;
  schema: z.ZodType<T>;
  /** Any source of bytes, a `Readable` too. It is read with back-pressure and never closed, not even on failure. */
  body: AsyncIterable<Uint8Array>;
  contentType: string;
  /** In bytes; without it the body goes out chunked. */
  contentLength?: number | undefined;
  signal?: AbortSignal | undefined;
};

/** What became of a POST that must never be sent twice. */
export type PostOutcome =
  /** `failure` is null exactly for a 2xx; `body` is parsed JSON, or undefined where an error came without any. */
  | { kind: 'answered'; status: number; body: unknown; failure: Failure | null }
  /** No byte of it was written to any connection: it may be sent again. */
  | { kind: 'not-sent'; failure: UpstreamUnavailableError }
  /** It may have been acted upon. */
  | { kind: 'unknown'; failure: UpstreamUnavailableError };

export function createUpstream(options: UpstreamOptions): Upstream {
  return new Upstream(options);
}

/** The upstream over HTTP. Throws the failures of `src/errors.ts`; an aborted signal's reason is thrown as it is. */
export class Upstream {
  readonly log: Log;
  readonly #options: UpstreamOptions;
  readonly #connection: Connection;
  readonly #reads = new SingleFlight<unknown>();

  constructor(options: UpstreamOptions) {
    this.log = options.log;
    this.#options = options;
    this.#connection = new Connection(options);
  }

  /**
   * GET. Equal reads at the same time are one upstream call, which ends when all who wait for it have left. Up to 3
   * tries where the failure may be over in a moment, each with the whole timeout.
   */
  async read<T>(request: ReadRequest<T>, options: ReadOptions = {}): Promise<T> {
    const path = request.path + queryText(request.query);
    const baseMs = this.#options.retryBaseMs ?? defaultRetryBaseMs;
    const join = options.isFresh === true ? 'joinNext' : 'join';
    const body = await this.#reads[join](
      path,
      (signal) => retryRead(() => this.#get(path, signal), { baseMs, signal }),
      options.signal,
    );
    return this.#parse(request, body);
  }

  /** A change, sent once. Gives the answer's JSON, or undefined: a 204 and other answers without JSON are fine. */
  async change(request: ChangeRequest): Promise<unknown> {
    const { method, path, json } = request;
    const outcome = await this.#connection.overFresh(
      { method, path, ...jsonBody(json) },
      { timeoutMs: this.#options.timeoutMs, measure: 'whole' },
    );
    // Also after a failure: half a change may have happened.
    this.#reads.forgetAll();
    // What was sent may come back in the answer, and it may be a password.
    this.#note(`${method} ${path}`, outcome, { isTextLogged: json === undefined });
    const answer = answerOf(outcome, { isRepeatable: false });
    const body = jsonOf(answer.text);
    if (!isSuccess(answer.status)) {
      const meant = request.failureOf?.(answer.status, body);
      throw meant ?? unrepeatable(failureOfStatus(answer.status, body, answer.retryAfter));
    }
    if (errorTextOf(body) !== undefined) {
      throw new UpstreamUnavailableError('INVALID_ANSWER', false);
    }
    return body;
  }

  /** Sends a POST at most once, whoever leaves meanwhile, and tells what is known about it. Doesn't throw. */
  async postOnce(path: string, json: object): Promise<PostOutcome> {
    const outcome = await this.#connection.overFresh(
      { method: 'POST', path, ...jsonBody(json) },
      { timeoutMs: this.#options.timeoutMs, measure: 'whole' },
    );
    this.#reads.forgetAll();
    this.#note(`POST ${path}`, outcome);
    if (outcome.kind === 'fault') {
      return outcome.isSent
        ? { kind: 'unknown', failure: new UpstreamUnavailableError(outcome.reason, false) }
        : { kind: 'not-sent', failure: new UpstreamUnavailableError(outcome.reason) };
    }
    const { status, retryAfter } = outcome;
    const body = jsonOf(outcome.text);
    if (!isSuccess(status)) {
      return { kind: 'answered', status, body, failure: failureOfStatus(status, body, retryAfter) };
    }
    return body === undefined
      ? { kind: 'unknown', failure: new UpstreamUnavailableError('INVALID_ANSWER', false) }
      : { kind: 'answered', status, body, failure: null };
  }

  /**
   * POST of raw bytes, streamed and sent once. Source and upstream share the idle timeout: whoever stops ends it. An
   * error of the source is thrown as it is; another length than announced is an `InvalidInputError`.
   */
  async upload<T>(request: UploadRequest<T>): Promise<T> {
    request.signal?.throwIfAborted();
    let sourceFailure: { error: unknown } | undefined;
    const body = toUploadBody(request.body, (error) => {
      sourceFailure = { error };
    });
    const path = request.path + queryText(request.query);
    const outcome = await this.#connection
      .overFresh(
        { method: 'POST', path, body, headers: bodyHeaders(request) },
        { timeoutMs: this.#options.timeoutMs, measure: 'idle', signal: request.signal },
      )
      .finally(() => body.destroy());
    this.#note(`POST ${path}`, outcome);
    if (outcome.kind === 'fault') {
      throwIfSourceFailed(sourceFailure, outcome);
    }
    const answer = answerOf(outcome, { isRepeatable: false });
    try {
      return this.#parse(request, bodyOf(answer));
    } catch (thrown) {
      throw unrepeatable(thrown);
    }
  }

  /** Ends the reads with CONNECTION_FAILED; waits for the changes, posts and uploads that are under way. */
  async close(): Promise<void> {
    this.#reads.end(new UpstreamUnavailableError('CONNECTION_FAILED'));
    await this.#connection.close();
  }

  async #get(path: string, signal: AbortSignal): Promise<unknown> {
    const outcome = await this.#connection.overKept(
      { method: 'GET', path },
      { timeoutMs: this.#options.timeoutMs, measure: 'whole', signal },
    );
    this.#note(`GET ${path}`, outcome);
    return bodyOf(answerOf(outcome, { isRepeatable: true }));
  }

  #parse<T>(request: { path: string; schema: z.ZodType<T> }, body: unknown): T {
    const parsed = request.schema.safeParse(body);
    if (parsed.success) {
      return parsed.data;
    }
    const issues = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.code}`);
    const path = this.#redact(request.path);
    this.log.debug({ path, issues: issues.slice(0, 5) }, 'upstream answer has another shape');
    throw new UpstreamUnavailableError('INVALID_ANSWER');
  }

  /** Says in the log what a caller must not see; nothing about a 2xx. */
  #note(label: string, outcome: Answer | Fault, { isTextLogged = true } = {}): void {
    const request = this.#redact(label);
    if (outcome.kind === 'fault') {
      const { reason, isSent, cause } = outcome;
      this.log.debug({ request, reason, isSent, code: codeOf(cause) }, 'upstream gave no answer');
    } else if (!isSuccess(outcome.status)) {
      const text = isTextLogged ? this.#redact(outcome.text) : undefined;
      this.log.debug({ request, status: outcome.status, text }, 'upstream answered a failure');
    }
  }

  #redact(text: string): string {
    return redact(text, this.#options.token);
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
