// Apollo Client: creates a lip-sync and watches it over a WebSocket that resumes. Run: node examples/run.ts apollo

import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { OperationTypeNode } from 'graphql';
import { createClient } from 'graphql-ws';
import { possibleTypes, resumable, retryWait } from 'lipsync-graphql-client';
import {
  type Example,
  type Failure,
  isProgress,
  type Outcome,
  outcomeOf,
  type Progress,
  type Update,
} from './example.ts';

export function connect(url: string) {
  const socket = createClient({
    url: url.replace(/^http/, 'ws'),
    retryAttempts: Infinity,
    shouldRetry: () => true,
    retryWait,
  });
  return {
    client: new ApolloClient({
      cache: new InMemoryCache({ possibleTypes }),
      link: ApolloLink.split(
        ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
        new GraphQLWsLink(resumable(socket)),
        new HttpLink({ uri: url }),
      ),
    }),
    close: () => socket.dispose(),
  };
}

type Created = Failure | { lipsync: { id: string } };

const createLipsync = gql`
  mutation CreateLipsync($input: CreateLipsyncInput!) {
    createLipsync(input: $input) {
      ... on CreateLipsyncSuccess { lipsync { id status } }
      ... on LipsyncError { code message }
    }
  }
`;

const watchLipsync = gql`
  subscription WatchLipsync($id: ID!, $after: String) {
    lipsyncProgress(id: $id, after: $after) {
      __typename
      ... on LipsyncProgress {
        cursor sequence status percent
        failure { code message }
        lipsync { id status result { id url } }
      }
      ... on LipsyncError { code message }
    }
  }
`;

export const makeVideo: Example = async (url, { videoId, text }, onProgress) => {
  const { client, close } = connect(url);
  try {
    const input = {
      video: { videoId },
      speech: { script: { text } },
      idempotencyKey: crypto.randomUUID(),
    };
    const { data } = await client.mutate<{ createLipsync: Created }>({
      mutation: createLipsync,
      variables: { input },
    });
    const created = data?.createLipsync;
    if (created === undefined) throw new Error('The answer has no data.');
    if ('code' in created) return created;
    return await watchToEnd(client, created.lipsync.id, onProgress);
  } finally {
    await close();
  }
};

function watchToEnd(
  client: ApolloClient,
  id: string,
  onProgress: (progress: Progress) => void,
): Promise<Outcome> {
  const updates = client.subscribe<{ lipsyncProgress: Update }>({
    query: watchLipsync,
    variables: { id },
  });
  return new Promise((resolve, reject) => {
    const subscription = updates.subscribe({
      next({ data, error }) {
        if (!data) return reject(error);
        const update = data.lipsyncProgress;
        if (isProgress(update)) onProgress(update);
        const outcome = outcomeOf(update);
        if (outcome === null) return;
        resolve(outcome);
        subscription.unsubscribe();
      },
      error: reject,
    });
  });
}
