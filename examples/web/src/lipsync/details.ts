import { useQuery } from 'urql';
import { graphql, type ResultOf } from '../session/graphql.ts';

const lipsyncQuery = graphql(`
  query Lipsync($id: ID!) {
    lipsync(id: $id) {
      id text reference createdAt
      voice { name }
      sourceVideo { id prompt url posterUrl }
      sourceUpload { id filename sourceUrl }
      speechUpload { id filename sourceUrl }
    }
  }
`);

export type Details = NonNullable<ResultOf<typeof lipsyncQuery>['lipsync']>;

/** The input of a lip-sync. It never changes, so it is queried once. */
export function useDetails(id: string): Details | null {
  const [{ data }] = useQuery({ query: lipsyncQuery, variables: { id } });
  return data?.lipsync ?? null;
}
