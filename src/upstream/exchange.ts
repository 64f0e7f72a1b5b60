import { type Dispatcher, errors } from 'undici';
import type { UnavailableReason } from '../errors.ts';
import { errorCodeOf } from '../log/error-code.ts';
import { decodeBody } from './content-encoding.ts';

// The longest real response is a page of videos, well under 1 MB.
const maxResponseBytes = 10 * 1024 * 1024;

/** The status and the whole body have arrived. From status 400 on the status alone is enough; `text` may then be ''. */
export type HttpResponse = {
  kind: 'response';
  status: number;
  retryAfter: string | undefined;
  /** Where a redirect leads, as the upstream wrote it. */
  location: string | undefined;
  text: string;
};

/** No complete response. `isSent` is false only where no byte of the request was written to any socket. */
export type NoResponse = {
  kind: 'no-response';
  isSent: boolean;
  reason: Extract<UnavailableReason, 'TIMEOUT' | 'CONNECTION_FAILED' | 'INVALID_ANSWER'>;
  cause: unknown;
};

export type ExchangeTimeout = {
  timeoutMs: number;
  /** `whole`: from the start to the last byte of the response. `idle`: between two transfers of bytes, either way. */
  measure: 'whole' | 'idle';
  signal?: AbortSignal | undefined;
};

/**
 * One HTTP exchange; its outcome is data. It follows no redirect, repeats nothing and ends at its timeout. Rejects only
 * for bugs and with the signal's reason. It uses undici's lowest interface because only that reports the moment just
 * before the first byte is written (`onRequestStart`), which separates "not sent" from "unknown".
 */
export function exchange(
  dispatcher: Dispatcher,
  request: Dispatcher.DispatchOptions,
  timeout: ExchangeTimeout,
): Promise<HttpResponse | NoResponse> {
  const running = new Exchange(timeout);
  // undici's own timers are off: they do not cover the whole exchange, and check only twice a second.
  dispatcher.dispatch({ ...request, headersTimeout: 0, bodyTimeout: 0 }, running);
  return running.outcome;
}

class Exchange implements Dispatcher.DispatchHandler {
  readonly outcome: Promise<HttpResponse | NoResponse>;
  readonly #settle: (outcome: HttpResponse | NoResponse) => void;
  readonly #reject: (reason: unknown) => void;
  readonly #timeout: ExchangeTimeout;
  readonly #timer: NodeJS.Timeout;
  readonly #onAbort = () => this.#cancel(this.#timeout.signal?.reason);
  readonly #chunks: Buffer[] = [];
  #controller: Dispatcher.DispatchController | undefined;
  #isSettled = false;
  #bytes = 0;
  #status = 0;
  #retryAfter: string | undefined;
  #location: string | undefined;
  #encodings: string | undefined;

  constructor(timeout: ExchangeTimeout) {
    const { promise, resolve, reject } = Promise.withResolvers<HttpResponse | NoResponse>();
    this.outcome = promise;
    this.#settle = resolve;
    this.#reject = reject;
    this.#timeout = timeout;
    this.#timer = setTimeout(() => this.#fail('TIMEOUT', undefined), timeout.timeoutMs);
    timeout.signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (timeout.signal?.aborted) {
      this.#onAbort();
    }
  }

  /** The socket is connected, its TLS verified, and the next step writes the request's head to it. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#isSettled) {
      // It was settled as "not sent" while connecting, so nothing may be sent now.
      controller.abort(new Error('The exchange has ended.'));
      return;
    }
    this.#controller = controller;
    this.#refreshIdleTimer();
  }

  /** The socket took a piece of the body; under backpressure, the previous piece has been sent. */
  onBodySent(): void {
    this.#refreshIdleTimer();
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.#refreshIdleTimer();
    // 1xx other than 100 and 101 arrive here too, before the final response.
    this.#status = status;
    this.#retryAfter = firstOf(headers['retry-after']);
    this.#location = firstOf(headers.location);
    this.#encodings = headers['content-encoding']?.toString();
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#refreshIdleTimer();
    this.#bytes += chunk.byteLength;
    if (this.#bytes > maxResponseBytes) {
      this.#fail('INVALID_ANSWER', new Error('The response is too large.'));
      return;
    }
    this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    if (this.#finish()) {
      const body = decodeBody(Buffer.concat(this.#chunks), this.#encodings, maxResponseBytes);
      // TextDecoder drops a byte order mark and does not throw for any declared charset.
      const text = new TextDecoder().decode(body);
      this.#settle(this.#responseWith(text));
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    if (errorCodeOf(error) === 'UND_ERR_INVALID_ARG') {
      if (this.#finish()) {
        this.#reject(error);
      }
      return;
    }
    this.#fail(reasonOf(error), error);
  }

  #refreshIdleTimer(): void {
    if (this.#timeout.measure === 'idle' && !this.#isSettled) {
      this.#timer.refresh();
    }
  }

  #fail(reason: NoResponse['reason'], cause: unknown): void {
    if (!this.#finish()) return;
    const isErrorStatus = this.#status >= 400;
    this.#settle(
      isErrorStatus
        ? this.#responseWith('')
        : { kind: 'no-response', isSent: this.#controller !== undefined, reason, cause },
    );
    this.#controller?.abort(new Error('The exchange has ended.'));
  }

  #responseWith(text: string): HttpResponse {
    const [status, retryAfter, location] = [this.#status, this.#retryAfter, this.#location];
    return { kind: 'response', status, retryAfter, location, text };
  }

  #cancel(reason: unknown): void {
    if (this.#finish()) {
      this.#reject(reason);
      this.#controller?.abort(new Error('The caller has aborted.'));
    }
  }

  /** True for the first call, which ends the exchange. */
  #finish(): boolean {
    if (this.#isSettled) {
      return false;
    }
    this.#isSettled = true;
    clearTimeout(this.#timer);
    this.#timeout.signal?.removeEventListener('abort', this.#onAbort);
    return true;
  }
}

function firstOf(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : header?.[0];
}

function reasonOf(error: Error): NoResponse['reason'] {
  const code = errorCodeOf(error);
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT') {
    return 'TIMEOUT';
  }
  return error instanceof errors.HTTPParserError || code === 'UND_ERR_HEADERS_OVERFLOW'
    ? 'INVALID_ANSWER'
    : 'CONNECTION_FAILED';
}
