/** One request to the API, for tests. The bearer token and passwords are hidden. */
export type LoggedRequest = {
  /** Counts up from 1, also when old entries are dropped. */
  sequence: number;
  at: string;
  method: string;
  /** As written in the request line, with the query, below the API base. */
  path: string;
  headers: Record<string, string | string[] | undefined>;
  /** The parsed body; `{ bytes }` for an upload; absent until it is read. */
  body?: unknown;
  /** The status that was sent; absent while the request is in progress. `aborted`: the client disconnected first. */
  status?: number | 'cut' | 'hang' | 'aborted';
};

const MAX_REQUESTS = 1000;

export type RequestLog = {
  add(request: Omit<LoggedRequest, 'sequence' | 'at'>): LoggedRequest;
  /** Oldest first. */
  list(): LoggedRequest[];
  clear(): void;
};

export function createRequestLog(): RequestLog {
  let requests: LoggedRequest[] = [];
  let sequence = 0;
  return {
    add(given) {
      sequence += 1;
      const { authorization, ...headers } = given.headers;
      const hidden = authorization === undefined ? {} : { authorization: 'Bearer …' };
      const request = {
        sequence,
        at: new Date().toISOString(),
        ...given,
        headers: { ...headers, ...hidden },
      };
      requests.push(request);
      if (requests.length > MAX_REQUESTS) requests = requests.slice(-MAX_REQUESTS);
      return request;
    },
    list: () => requests,
    clear() {
      requests = [];
    },
  };
}
