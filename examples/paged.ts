// Apollo Client: a cache that joins the pages of a list. Run by examples/test/recipes.test.ts.

import { gql, InMemoryCache } from '@apollo/client';
import { relayStylePagination } from '@apollo/client/utilities';
import { possibleTypes } from 'lipsync-graphql-client';

export function createCache() {
  return new InMemoryCache({
    possibleTypes,
    typePolicies: {
      Query: {
        fields: {
          lipsyncs: relayStylePagination(['filter']),
          videos: relayStylePagination(['filter']),
        },
      },
    },
  });
}

export const listLipsyncs = gql`
  query Lipsyncs($after: String) {
    lipsyncs(first: 20, after: $after) {
      edges { cursor node { id status } }
      pageInfo { hasNextPage endCursor }
    }
  }
`;
