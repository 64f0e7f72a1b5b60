import type { Client } from 'graphql-ws/client';

/**
 * Wraps a graphql-ws client, for use with Apollo Client, urql, Relay or graphql-ws itself, so that a subscription
 * resumes after a broken connection. graphql-ws resubscribes with the original variables and so misses the events in
 * between; here `after` is always the cursor of the last event received. The subscription must declare `$after` and
 * select `cursor`.
 */
export function resumable<Given extends Pick<Client, 'subscribe'>>(client: Given): Given {
  const subscribe: Client['subscribe'] = (payload, sink) => {
    let after = payload.variables?.after;
    const variables = {
      ...payload.variables,
      // A getter, because graphql-ws serializes the variables again for each subscribe message.
      get after() {
        return after;
      },
    };
    return client.subscribe<Record<string, unknown>>(
      { ...payload, variables },
      {
        next(result) {
          after = cursorIn(result.data) ?? after;
          sink.next(result as never);
        },
        error: (error) => sink.error(error),
        complete: () => sink.complete(),
      },
    );
  };
  return { ...client, subscribe };
}

/** Looks at every field, because the subscription may use an alias. */
function cursorIn(data: Record<string, unknown> | null | undefined): string | undefined {
  for (const field of Object.values(data ?? {})) {
    const { cursor } = (field ?? {}) as { cursor?: unknown };
    if (typeof cursor === 'string') return cursor;
  }
  return undefined;
}
