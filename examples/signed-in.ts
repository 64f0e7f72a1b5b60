import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client';
import { SetContextLink } from '@apollo/client/link/context';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { Client, cacheExchange, fetchExchange, subscriptionExchange } from '@urql/core';
import { OperationTypeNode } from 'graphql';
import { createClient } from 'graphql-ws';
import { possibleTypes, resumable, retryWait } from 'lipsync-graphql-client';

/** Apollo Client with a token that may be renewed: in a header over HTTP, in `connection_init` over WebSocket. */
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

/** The same for urql. */
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
