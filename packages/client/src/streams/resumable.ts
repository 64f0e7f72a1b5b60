/** What `resumable` uses of the client of graphql-ws or graphql-sse. A type of its own, so that neither has to be installed. */
type SubscribingClient = { subscribe: (payload: never, sink: never) => () => void };

type Payload = { variables?: Record<string, unknown> | null | undefined };

type Result = { data?: Record<string, unknown> | null };

type ResultSink = {
  next(result: Result): void;
  error(error: unknown): void;
  complete(): void;
};

/**
 * Wraps a graphql-ws client, for use with Apollo Client, urql, Relay or graphql-ws itself, so that a subscription
 * resumes after a broken connection. graphql-ws resubscribes with the original variables and so misses the events in
 * between; here `after` is always the cursor of the last event received. The subscription must declare `$after` and
 * select `cursor`.
 */
export function resumable<Given extends SubscribingClient>(client: Given): Given {
  const subscribeOnce = client.subscribe as (payload: Payload, sink: ResultSink) => () => void;
  const subscribe = (payload: Payload, sink: ResultSink) => {
    let after = payload.variables?.after;
    const variables = {
      ...payload.variables,
      // A getter, because graphql-ws serializes the variables again for each subscribe message.
      get after() {
        return after;
      },
    };
    return subscribeOnce.call(
      client,
      { ...payload, variables },
      {
        next(result) {
          after = cursorIn(result.data) ?? after;
          sink.next(result);
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
