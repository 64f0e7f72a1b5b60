import { type Dispatcher, errors } from 'undici';
import type { UnavailableReason } from '../errors.ts';
import { decodeBody } from './coding.ts';

// The longest real answer is a page of videos, well under 1 MB.
const maxAnswerBytes = 10 * 1024 * 1024;

/** An answer: its status and its whole body have arrived. Of a refusal, from 400 on, the status alone is one. */
export type Answer = {
  kind: 'answer';
  status: number;
  retryAfter: string | undefined;
  text: string;
};

/** No complete answer. `isSent` is false only where no byte of the request was written to any socket. */
export type Fault = {
  kind: 'fault';
  isSent: boolean;
  reason: Extract<UnavailableReason, 'TIMEOUT' | 'CONNECTION_FAILED' | 'INVALID_ANSWER'>;
  cause: unknown;
};

export type Patience = {
  timeoutMs: number;
  /** `whole`: from the start to the last byte of the answer. `idle`: between two moves of bytes, either way. */
  measure: 'whole' | 'idle';
  signal?: AbortSignal | undefined;
};

/**
 * One HTTP exchange, told as data. Never follows a redirect, never repeats anything, never outlives its patience.
 * Rejects only for bugs and with the signal's reason. It drives undici's lowest interface because that alone says the
 * exact moment before the first byte is written (`onRequestStart`), which is what tells "not sent" from "unknown".
 */
export function exchange(
  dispatcher: Dispatcher,
  request: Dispatcher.DispatchOptions,
  patience: Patience,
): Promise<Answer | Fault> {
  const running = new Exchange(patience);
  // Both of undici's own timers are off: they don't span the whole exchange, and tick only twice a second.
  dispatcher.dispatch({ ...request, headersTimeout: 0, bodyTimeout: 0 }, running);
  return running.outcome;
}

class Exchange implements Dispatcher.DispatchHandler {
  readonly outcome: Promise<Answer | Fault>;
  readonly #settle: (outcome: Answer | Fault) => void;
  readonly #reject: (reason: unknown) => void;
  readonly #patience: Patience;
  readonly #timer: NodeJS.Timeout;
  readonly #onAbort = () => this.#leave(this.#patience.signal?.reason);
  readonly #chunks: Buffer[] = [];
  #controller: Dispatcher.DispatchController | undefined;
  #isSettled = false;
  #bytes = 0;
  #status = 0;
  #retryAfter: string | undefined;
  #codings: string | undefined;

  constructor(patience: Patience) {
    const { promise, resolve, reject } = Promise.withResolvers<Answer | Fault>();
    this.outcome = promise;
    this.#settle = resolve;
    this.#reject = reject;
    this.#patience = patience;
    this.#timer = setTimeout(() => this.#fail('TIMEOUT', undefined), patience.timeoutMs);
    patience.signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (patience.signal?.aborted) {
      this.#onAbort();
    }
  }

  /** The socket is connected (and its TLS verified) and the very next step writes the request's head to it. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#isSettled) {
      // Settled as "not sent" while the connection was being made: it must stay true.
      controller.abort(new Error('The exchange has ended.'));
      return;
    }
    this.#controller = controller;
    this.#move();
  }

  /** Called when the socket took a piece of the body, which under back-pressure is when the one before has left. */
  onBodySent(): void {
    this.#move();
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.#move();
    // 1xx other than 100 and 101 come through here too, before the answer itself.
    this.#status = status;
    const retryAfter = headers['retry-after'];
    this.#retryAfter = typeof retryAfter === 'string' ? retryAfter : retryAfter?.[0];
    this.#codings = headers['content-encoding']?.toString();
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#move();
    this.#bytes += chunk.byteLength;
    if (this.#bytes > maxAnswerBytes) {
      this.#fail('INVALID_ANSWER', new Error('The answer is too large.'));
      return;
    }
    this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    if (this.#finish()) {
      const body = decodeBody(Buffer.concat(this.#chunks), this.#codings, maxAnswerBytes);
      // TextDecoder drops a byte order mark and never throws, whatever the declared charset.
      const text = new TextDecoder().decode(body);
      this.#settle({ kind: 'answer', status: this.#status, retryAfter: this.#retryAfter, text });
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    if (codeOf(error) === 'UND_ERR_INVALID_ARG') {
      if (this.#finish()) {
        this.#reject(error);
      }
      return;
    }
    this.#fail(reasonOf(error), error);
  }

  #move(): void {
    if (this.#patience.measure === 'idle' && !this.#isSettled) {
      this.#timer.refresh();
    }
  }

  #fail(reason: Fault['reason'], cause: unknown): void {
    if (!this.#finish()) return;
    const isRefused = this.#status >= 400;
    this.#settle(
      isRefused
        ? { kind: 'answer', status: this.#status, retryAfter: this.#retryAfter, text: '' }
        : { kind: 'fault', isSent: this.#controller !== undefined, reason, cause },
    );
    this.#controller?.abort(new Error('The exchange has ended.'));
  }

  #leave(reason: unknown): void {
    if (this.#finish()) {
      this.#reject(reason);
      this.#controller?.abort(new Error('The caller has left.'));
    }
  }

  /** True for the first to end the exchange. */
  #finish(): boolean {
    if (this.#isSettled) {
      return false;
    }
    this.#isSettled = true;
    clearTimeout(this.#timer);
    this.#patience.signal?.removeEventListener('abort', this.#onAbort);
    return true;
  }
}

/** Such as `ECONNREFUSED` or `UND_ERR_SOCKET`; '' where there is none. Never a message: it may name hosts. */
export function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : '';
}

function reasonOf(error: Error): Fault['reason'] {
  const code = codeOf(error);
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT') {
    return 'TIMEOUT';
  }
  return error instanceof errors.HTTPParserError || code === 'UND_ERR_HEADERS_OVERFLOW'
    ? 'INVALID_ANSWER'
    : 'CONNECTION_FAILED';
}
