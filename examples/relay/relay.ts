// Relay: creates a lip-sync, watches it over a WebSocket that resumes, and reads connections and a node.
// Run: node examples/run.ts relay

import { createClient } from 'graphql-ws';
import { resumable, retryWait } from 'lipsync-graphql-client';
import {
  commitMutation,
  createOperationDescriptor,
  Environment,
  fetchQuery,
  type GraphQLResponse,
  type GraphQLTaggedNode,
  getRequest,
  Network,
  Observable,
  RecordSource,
  requestSubscription,
  Store,
} from 'relay-runtime';
import {
  type Example,
  isProgress,
  type Outcome,
  outcomeOf,
  type Progress,
  type Update,
} from '../example.ts';
import createLipsync, {
  type lipsyncCreateMutation,
} from './__generated__/lipsyncCreateMutation.graphql.ts';
import nodeQuery, { type lipsyncNodeQuery } from './__generated__/lipsyncNodeQuery.graphql.ts';
import lipsyncsQuery, { type lipsyncPageQuery } from './__generated__/lipsyncPageQuery.graphql.ts';
import uploadsQuery, {
  type lipsyncUploadsQuery,
} from './__generated__/lipsyncUploadsQuery.graphql.ts';
import videosQuery, {
  type lipsyncVideosQuery,
} from './__generated__/lipsyncVideosQuery.graphql.ts';
import watchLipsync, {
  type lipsyncWatchSubscription,
} from './__generated__/lipsyncWatchSubscription.graphql.ts';

export function connect(url: string) {
  const socket = createClient({
    url: url.replace(/^http/, 'ws'),
    retryAttempts: Infinity,
    shouldRetry: () => true,
    retryWait,
  });
  const stream = resumable(socket);
  const environment = new Environment({
    network: Network.create(
      async ({ text }, variables) => {
        const response = await fetch(url, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ query: text, variables }),
        });
        return (await response.json()) as GraphQLResponse;
      },
      ({ text }, variables) =>
        Observable.create<GraphQLResponse>((sink) =>
          stream.subscribe(
            { query: text ?? '', variables },
            {
              next: (result) => sink.next(result as GraphQLResponse),
              error: (error) => sink.error(error as Error),
              complete: () => sink.complete(),
            },
          ),
        ),
    ),
    store: new Store(new RecordSource()),
  });
  return { environment, close: () => socket.dispose() };
}

export const makeVideo: Example = async (url, { videoId, text }, onProgress) => {
  const { environment, close } = connect(url);
  try {
    const input = {
      video: { videoId },
      speech: { script: { text } },
      idempotencyKey: crypto.randomUUID(),
    };
    const { lipsync, code = '', message = '' } = await create(environment, { input });
    if (lipsync === undefined) return { code, message };
    return await watchToEnd(environment, lipsync.id, onProgress);
  } finally {
    await close();
  }
};

function create(environment: Environment, variables: lipsyncCreateMutation['variables']) {
  return new Promise<lipsyncCreateMutation['response']['createLipsync']>((resolve, reject) => {
    commitMutation<lipsyncCreateMutation>(environment, {
      mutation: createLipsync,
      variables,
      onCompleted: ({ createLipsync: answer }) => resolve(answer),
      onError: reject,
    });
  });
}

function watchToEnd(
  environment: Environment,
  id: string,
  onProgress: (progress: Progress) => void,
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const subscription = requestSubscription<lipsyncWatchSubscription>(environment, {
      subscription: watchLipsync,
      variables: { id },
      onNext(data) {
        // Relay types a union as one object in which every field is optional.
        const update = data?.lipsyncProgress as Update;
        if (isProgress(update)) onProgress(update);
        const outcome = outcomeOf(update);
        if (outcome === null) return;
        resolve(outcome);
        subscription.dispose();
      },
      onError: reject,
    });
  });
}

/** A query whose variables are a page, and the connection in its answer. */
type PageQuery<Connection> = {
  query: GraphQLTaggedNode;
  connectionOf: (data: unknown) => Connection | null | undefined;
};

type AnyConnection = { pageInfo: { endCursor?: string | null | undefined; hasNextPage: boolean } };

const pages = {
  lipsyncs: {
    query: lipsyncsQuery,
    connectionOf: (data) => (data as lipsyncPageQuery['response']).viewer.lipsyncs,
  } satisfies PageQuery<AnyConnection>,
  videos: {
    query: videosQuery,
    connectionOf: (data) => (data as lipsyncVideosQuery['response']).viewer.videos,
  } satisfies PageQuery<AnyConnection>,
  uploads: {
    query: uploadsQuery,
    connectionOf: (data) => (data as lipsyncUploadsQuery['response']).viewer.uploads,
  } satisfies PageQuery<AnyConnection>,
};

/** Fetches every page of a list of the viewer and returns the whole connection from the store. */
export async function readAll<Name extends keyof typeof pages>(
  environment: Environment,
  name: Name,
  first: number,
): Promise<ReturnType<(typeof pages)[Name]['connectionOf']>> {
  const { query, connectionOf } = pages[name];
  let after: string | null | undefined;
  do {
    const page = await fetchQuery(environment, query, { first, after }).toPromise();
    const { endCursor, hasNextPage } = connectionOf(page)?.pageInfo ?? {};
    after = hasNextPage ? endCursor : undefined;
  } while (after);
  const operation = createOperationDescriptor(getRequest(query), { first });
  const whole = connectionOf(environment.lookup(operation.fragment).data);
  return whole as ReturnType<(typeof pages)[Name]['connectionOf']>;
}

export async function readNode(environment: Environment, id: string) {
  const response = await fetchQuery<lipsyncNodeQuery>(environment, nodeQuery, { id }).toPromise();
  return response?.node;
}
