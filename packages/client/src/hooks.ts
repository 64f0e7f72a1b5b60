/** For logs and traces. Nothing that a caller wrote is in them: no variables, no token. */
export type LipsyncHooks = {
  /**
   * Called before each HTTP request. What it returns is added to the request's headers, such as `traceparent`. The
   * streams of a WebSocket are not requests: only `onRetry` is called for them. The bytes of an upload are sent without hooks.
   */
  onRequest?: ((request: RequestInfo) => Record<string, string> | undefined) | undefined;
  /** Called for each response to them, when its head has arrived; for a stream, when it opens. */
  onResponse?: ((response: RequestInfo & ResponseInfo) => void) | undefined;
  /** Called before each wait for another attempt, of a request or of a stream. */
  onRetry?: ((retry: RetryInfo) => void) | undefined;
};

/** A request that is about to be sent. */
export type RequestInfo = {
  /** The name of the operation, such as `CreateLipsync`. */
  operationName: string;
};

/** What `onResponse` gets, beside the name of the operation. */
export type ResponseInfo = {
  /** The HTTP status. */
  status: number;
  /** The server's id of the request, which is in its log too. Null if a proxy answered or hid it. */
  requestId: string | null;
};

/** A failed attempt, and when the next one is made. */
export type RetryInfo = RequestInfo & {
  /** How many attempts have failed in a row. */
  failures: number;
  /** The wait before the next attempt, which the `online` event of a browser ends early. */
  delayMs: number;
  /** Why the last attempt failed. */
  error: unknown;
};

export function nameOf(query: string): string {
  return /^\w+ (\w+)/.exec(query)?.[1] ?? '';
}
