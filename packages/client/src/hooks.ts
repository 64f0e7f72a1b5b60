/** For logs and traces. Nothing that a caller wrote is in them: no variables, no token. */
export type LipsyncHooks = {
  /**
   * Called before each HTTP request. What it returns is added to the request's headers, such as `traceparent`. The
   * streams of a WebSocket are no requests: only `onRetry` is called for them.
   */
  onRequest?: ((request: RequestInfo) => Record<string, string> | undefined) | undefined;
  onResponse?: ((response: RequestInfo & ResponseInfo) => void) | undefined;
  /** Called before each wait for another attempt, of a request or of a stream. */
  onRetry?: ((retry: RetryInfo) => void) | undefined;
};

export type RequestInfo = {
  /** The name of the operation, such as `CreateLipsync`. */
  operationName: string;
};

export type ResponseInfo = {
  status: number;
  /** The server's id of the request, which is in its log too. Null if a proxy answered or hid it. */
  requestId: string | null;
};

export type RetryInfo = RequestInfo & {
  /** How many attempts have failed in a row. */
  failures: number;
  delayMs: number;
  /** Why the last attempt failed. */
  error: unknown;
};

export function nameOf(query: string): string {
  return /^\w+ (\w+)/.exec(query)?.[1] ?? '';
}
