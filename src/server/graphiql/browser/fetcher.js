/**
 * Sends GraphiQL's operations: subscriptions over WebSocket, other operations by POST.
 *
 * @typedef {{ query: string, operationName?: string | null | undefined, variables?: unknown }} Params
 * @typedef {Record<string, string>} Headers_
 * @typedef {{ next(result: unknown): void, error(error: unknown): void, complete(): void }} Observer
 * @typedef {{ rememberHeaders(headers: Headers_): void, rememberIds(data: unknown): void }} Listener
 */

/** Global of the script before these. */
const { graphqlWs } = /** @type {{ graphqlWs: typeof import('graphql-ws') }} */ (
  /** @type {unknown} */ (globalThis)
);

export const endpoint = new URL(location.pathname, location.href);

/**
 * Replaces GraphiQL's own fetcher, which does not send the headers of a subscription, and sends the operation name of the
 * previous tab for a tenth of a second after a tab was opened.
 *
 * @param {Listener} listener
 */
export function createFetcher(listener) {
  return (
    /** @type {Params} */ params,
    /** @type {{ headers?: Headers_ }} */ { headers = {} } = {},
  ) => {
    listener.rememberHeaders(headers);
    const operations = operationsIn(params.query);
    const selected =
      operations.find(({ name }) => name === params.operationName) ??
      (operations.length === 1 ? operations[0] : undefined);
    const corrected = { ...params, operationName: selected?.name || undefined };
    return selected?.kind === 'subscription'
      ? subscribe(corrected, headers)
      : post(corrected, headers, listener.rememberIds);
  };
}

/** @param {string} query */
function operationsIn(query) {
  const code = query.replace(/#.*|"""[\s\S]*?"""|"(?:\\.|[^"\\])*"/g, ' ');
  const found = code.matchAll(/(?:^|\})\s*(query|mutation|subscription)\b\s*(\w*)/g);
  return [...found].map(([, kind, name]) => ({ kind, name }));
}

/**
 * @param {Params} params
 * @param {Headers_} headers
 * @param {(data: unknown) => void} rememberIds
 */
async function post(params, headers, rememberIds) {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { accept: 'application/json', 'content-type': 'application/json', ...headers },
    body: JSON.stringify(params),
  });
  const text = await response.text();
  if (!text.startsWith('{')) throw new Error(`The server answered ${response.status}. ${text}`);
  const result = JSON.parse(text);
  rememberIds(result.data);
  return result;
}

/**
 * Each subscription has its own WebSocket, so that `connection_init` has the current headers.
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
      const unsubscribe = client.subscribe(
        /** @type {import('graphql-ws').SubscribePayload} */ (params),
        {
          next: (result) => observer.next(result),
          complete: () => observer.complete(),
          error: (error) => observer.error(error instanceof Event ? describeEvent(error) : error),
        },
      );
      return { unsubscribe };
    },
  };
}

/** @param {Event} event of a WebSocket */
function describeEvent(event) {
  const { code, reason } = event instanceof CloseEvent ? event : { code: 0, reason: '' };
  return new Error(`The connection ended${code ? ` with ${code}` : ''}. ${reason}`.trim());
}
