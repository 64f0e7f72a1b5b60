// urql: creates a lip-sync and watches it over a WebSocket that resumes. Run: node examples/run.ts urql

import { Client, cacheExchange, fetchExchange, gql, subscriptionExchange } from '@urql/core';
import { createClient } from 'graphql-ws';
import { resumable, retryWait } from 'lipsync-graphql-client';
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
  const stream = resumable(socket);
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
  return { client, close: () => socket.dispose() };
}

const createLipsync = gql<{ createLipsync: { lipsync: { id: string } } | Failure }>`
  mutation CreateLipsync($input: CreateLipsyncInput!) {
    createLipsync(input: $input) {
      ... on CreateLipsyncSuccess { lipsync { id status } }
      ... on LipsyncError { code message }
    }
  }
`;

const watchLipsync = gql<{ lipsyncProgress: Update }>`
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
    const { data, error } = await client.mutation(createLipsync, { input });
    if (data === undefined) throw error;
    if ('code' in data.createLipsync) return data.createLipsync;
    return await watchToEnd(client, data.createLipsync.lipsync.id, onProgress);
  } finally {
    await close();
  }
};

function watchToEnd(
  client: Client,
  id: string,
  onProgress: (progress: Progress) => void,
): Promise<Outcome> {
  const updates = client.subscription(watchLipsync, { id });
  return new Promise((resolve, reject) => {
    const subscription = updates.subscribe(({ data, error }) => {
      if (data === undefined) return reject(error);
      const update = data.lipsyncProgress;
      if (isProgress(update)) onProgress(update);
      const outcome = outcomeOf(update);
      if (outcome === null) return;
      resolve(outcome);
      subscription.unsubscribe();
    });
  });
}
