// Apollo Client with its HttpLink alone: subscriptions by the multipart protocol. Run: node examples/run.ts apollo-http

import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { SetContextLink } from '@apollo/client/link/context';
import { RetryLink } from '@apollo/client/link/retry';
import { OperationTypeNode } from 'graphql';
import { possibleTypes } from 'lipsync-graphql-client';
import { tap } from 'rxjs';
import {
  type Example,
  type Failure,
  isProgress,
  type Outcome,
  outcomeOf,
  type Progress,
  type Update,
} from './example.ts';

/** Subscribes again after a broken connection. A mutation is never sent twice. */
const retry = new RetryLink({
  delay: { initial: 500, max: 10_000 },
  attempts: {
    max: Number.POSITIVE_INFINITY,
    retryIf: (_, { operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
  },
});

/** Remembers the cursor of the last event, so that the next attempt continues after it. */
const resume = new ApolloLink((operation, forward) =>
  forward(operation).pipe(
    tap(({ data }) => {
      const cursor = data?.lipsyncProgress?.cursor;
      if (cursor !== undefined) operation.variables = { ...operation.variables, after: cursor };
    }),
  ),
);

/** @param getToken called for each attempt, so that it can renew the token; null for an anonymous caller */
export function connect(
  url: string,
  getToken: () => Promise<string | null> = async () => null,
): ApolloClient {
  const authorize = new SetContextLink(async () => {
    const token = await getToken();
    return token === null ? {} : { headers: { authorization: `Bearer ${token}` } };
  });
  return new ApolloClient({
    cache: new InMemoryCache({ possibleTypes }),
    link: ApolloLink.from([retry, resume, authorize, new HttpLink({ uri: url })]),
  });
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
  const client = connect(url);
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
  return watchToEnd(client, created.lipsync.id, onProgress);
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
