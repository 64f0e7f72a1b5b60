import type { Client } from 'graphql-ws/client';

/**
 * For those who use Apollo Client, urql, Relay or graphql-ws itself: the same client, which after a broken connection
 * goes on where it was. graphql-ws subscribes again by itself, but with the variables of the beginning, and so misses
 * what happened meanwhile. Here `after` is always the cursor of the last event that came. The subscription has to
 * declare `$after` and to select `cursor`.
 */
export function resumable<Given extends Pick<Client, 'subscribe'>>(client: Given): Given {
  const subscribe: Client['subscribe'] = (payload, sink) => {
    let after = payload.variables?.after;
    const variables = {
      ...payload.variables,
      // Read again each time that the client writes down what it subscribes to.
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

/** Under whatever name the field was asked for. */
function cursorIn(data: Record<string, unknown> | null | undefined): string | undefined {
  for (const field of Object.values(data ?? {})) {
    const { cursor } = (field ?? {}) as { cursor?: unknown };
    if (typeof cursor === 'string') return cursor;
  }
  return undefined;
}
