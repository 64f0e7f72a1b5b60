// urql over server-sent events that resume, by graphql-sse. Run by examples/test/recipes.test.ts.

import { Client, cacheExchange, fetchExchange, subscriptionExchange } from '@urql/core';
import { createClient } from 'graphql-sse';
import { resumable, retryWait } from 'lipsync-graphql-client';

export function connect(url: string) {
  const stream = resumable(createClient({ url, retryAttempts: Infinity, retry: retryWait }));
  const client = new Client({
    url,
    preferGetMethod: false,
    exchanges: [
      cacheExchange,
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query = '', variables }) => ({
          subscribe: (sink) => ({ unsubscribe: stream.subscribe({ query, variables }, sink) }),
        }),
      }),
    ],
  });
  return { client, close: () => stream.dispose() };
}
