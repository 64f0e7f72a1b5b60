import { useQuery } from 'urql';
import { graphql, type ResultOf } from '../session/graphql.ts';

const lipsyncQuery = graphql(`
  query Lipsync($id: ID!) {
    lipsync(id: $id) {
      id text reference createdAt
      voice { name }
      sourceVideo { id prompt url posterUrl }
    }
  }
`);

export type Details = NonNullable<ResultOf<typeof lipsyncQuery>['lipsync']>;

/** What was asked for, which does not change; what becomes of it is watched. */
export function useDetails(id: string): Details | null {
  const [{ data }] = useQuery({ query: lipsyncQuery, variables: { id } });
  return data?.lipsync ?? null;
}
