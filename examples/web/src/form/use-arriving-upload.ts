import { useEffect, useEffectEvent } from 'react';
import { useQuery } from 'urql';
import { graphql, type ResultOf } from '../session/graphql.ts';

const uploadQuery = graphql(`
  query ArrivingUpload($id: ID!) {
    upload(id: $id) {
      id status bytesReceived size durationSeconds
      failure {
        __typename code message retryable retryAfterSeconds
        ... on InvalidInputError { issues { code message } }
      }
    }
  }
`);

export type ArrivingUpload = NonNullable<ResultOf<typeof uploadQuery>['upload']>;

/** As often as the server counts the bytes of an import. */
const pollMs = 1_000;

/** An upload whose file the server fetches, read every second until it has arrived or failed. Null: not read yet, or gone. */
export function useArrivingUpload(id: string): { upload: ArrivingUpload | null; isGone: boolean } {
  const [{ data, error, stale }, refetch] = useQuery({
    query: uploadQuery,
    variables: { id },
    requestPolicy: 'network-only',
  });
  const upload = data?.upload ?? null;
  const isGone = data !== undefined && error === undefined && upload === null && !stale;
  const isOver = isGone || (upload !== null && upload.status !== 'RECEIVING');
  const read = useEffectEvent(() => refetch({ requestPolicy: 'network-only' }));
  useEffect(() => {
    if (isOver) return;
    const timer = setInterval(() => read(), pollMs);
    return () => clearInterval(timer);
  }, [isOver]);
  return { upload, isGone };
}
