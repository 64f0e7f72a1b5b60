/**
 * How our GraphiQL asks and watches.
 *
 * @typedef {{ query: string, operationName?: string | null | undefined, variables?: unknown }} Params
 * @typedef {Record<string, string>} Headers_
 * @typedef {{ next(result: unknown): void, error(error: unknown): void, complete(): void }} Observer
 * @typedef {{ send(headers: Headers_): void, learn(data: unknown): void }} Listener hears what goes out and comes in
 */

/** What the script in front of these leaves behind. */
const { graphqlWs } = /** @type {{ graphqlWs: typeof import('graphql-ws') }} */ (
  /** @type {unknown} */ (globalThis)
);

export const endpoint = new URL(location.pathname, location.href);

/**
 * GraphiQL's own would send the headers of a subscription nowhere, and of an operation the name that the tab before had,
 * for a tenth of a second after a tab was opened.
 *
 * @param {Listener} listener
 */
export function createFetcher(listener) {
  return (
    /** @type {Params} */ params,
    /** @type {{ headers?: Headers_ }} */ { headers = {} } = {},
  ) => {
    listener.send(headers);
    const operations = operationsIn(params.query);
    const meant =
      operations.find(({ name }) => name === params.operationName) ??
      (operations.length === 1 ? operations[0] : undefined);
    const known = { ...params, operationName: meant?.name || undefined };
    return meant?.kind === 'subscription'
      ? subscribe(known, headers)
      : ask(known, headers, listener.learn);
  };
}

/** @param {string} query */
function operationsIn(query) {
  const bare = query.replace(/#.*|"""[\s\S]*?"""|"(?:\\.|[^"\\])*"/g, ' ');
  const found = bare.matchAll(/(?:^|\})\s*(query|mutation|subscription)\b\s*(\w*)/g);
  return [...found].map(([, kind, name]) => ({ kind, name }));
}

/**
 * @param {Params} params
 * @param {Headers_} headers
 * @param {(data: unknown) => void} learn
 */
async function ask(params, headers, learn) {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { accept: 'application/json', 'content-type': 'application/json', ...headers },
    body: JSON.stringify(params),
  });
  const text = await response.text();
  if (!text.startsWith('{')) throw new Error(`The server answers ${response.status}. ${text}`);
  const result = JSON.parse(text);
  learn(result.data);
  return result;
}

/**
 * Over a WebSocket of its own, so that `connection_init` has the headers as they are now.
 *
 * @param {Params} params
 * @param {Headers_} headers
 */
function subscribe(params, headers) {
  return {
    subscribe(/** @type {Observer} */ observer) {
      const client = graphqlWs.createClient({
        url: endpoint.href.replace(/^http/, 'ws'),
        connectionParams: headers,
        shouldRetry: () => true,
      });
      const leave = client.subscribe(
        /** @type {import('graphql-ws').SubscribePayload} */ (params),
        {
          next: (result) => observer.next(result),
          complete: () => observer.complete(),
          error: (error) => observer.error(error instanceof Event ? describeEvent(error) : error),
        },
      );
      return { unsubscribe: leave };
    },
  };
}

/** @param {Event} event of a socket */
function describeEvent(event) {
  const { code, reason } = event instanceof CloseEvent ? event : { code: 0, reason: '' };
  return new Error(`The connection ended${code ? ` with ${code}` : ''}. ${reason}`.trim());
}
