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

const limitsQuery = graphql(`
  query Limits {
    viewer {
      lipsyncsPerDay { limit remaining resetAt }
      lipsyncsInFlight { limit remaining }
    }
  }
`);

/** How many lip-syncs the caller can still create. */
export function useLimits() {
  return useQuery({ query: limitsQuery, requestPolicy: 'cache-and-network' });
}
