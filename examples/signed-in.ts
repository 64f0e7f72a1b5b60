// Apollo Client and urql with a token: a header over HTTP, connection_init over WebSocket. Run by
// examples/test/recipes.test.ts.

import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client';
import { SetContextLink } from '@apollo/client/link/context';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { Client, cacheExchange, fetchExchange, subscriptionExchange } from '@urql/core';
import { OperationTypeNode } from 'graphql';
import { createClient } from 'graphql-ws';
import { possibleTypes, resumable, retryWait } from 'lipsync-graphql-client';

/** Apollo Client. `getToken` is called for each request and each connection, so that it can renew the token. */
export function connectApollo(url: string, getToken: () => Promise<string>) {
  const authorize = async () => ({ authorization: `Bearer ${await getToken()}` });
  const socket = createClient({
    url: url.replace(/^http/, 'ws'),
    connectionParams: authorize,
    retryAttempts: Infinity,
    shouldRetry: () => true,
    retryWait,
  });
  const client = new ApolloClient({
    cache: new InMemoryCache({ possibleTypes }),
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      new GraphQLWsLink(resumable(socket)),
      new SetContextLink(async () => ({ headers: await authorize() })).concat(
        new HttpLink({ uri: url }),
      ),
    ),
  });
  return { client, close: () => socket.dispose() };
}

/** urql, with the same `getToken`. */
export function connectUrql(url: string, getToken: () => Promise<string>) {
  const authorize = async () => ({ authorization: `Bearer ${await getToken()}` });
  const socket = createClient({
    url: url.replace(/^http/, 'ws'),
    connectionParams: authorize,
    retryAttempts: Infinity,
    shouldRetry: () => true,
    retryWait,
  });
  const stream = resumable(socket);
  const client = new Client({
    url,
    preferGetMethod: false,
    fetch: async (input, init) =>
      fetch(input, { ...init, headers: { ...init?.headers, ...(await authorize()) } }),
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
  return { client, close: () => socket.dispose() };
}
