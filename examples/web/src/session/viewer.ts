import { useQuery } from 'urql';
import { graphql } from './graphql.ts';

const viewerQuery = graphql(`
  query Viewer {
    viewer { name authenticated scopes }
  }
`);

/** The caller's name and scopes. The server answers this query without a token too. */
export function useViewer() {
  return useQuery({ query: viewerQuery });
}
