import { useQuery } from 'urql';
import { graphql } from './graphql.ts';

const viewerQuery = graphql(`
  query Viewer {
    viewer { name authenticated scopes }
  }
`);

/** Who asks, which every server tells everybody. */
export function useViewer() {
  return useQuery({ query: viewerQuery });
}
