// Apollo Client: a trusted document sent by id with GET, so that browsers and CDNs can cache the answer.
// Run by examples/test/cacheable-query.test.ts; the server needs TRUSTED_DOCUMENTS.

import { ApolloClient, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { type DocumentNode, getOperationAST } from 'graphql';
import { possibleTypes } from 'lipsync-graphql-client';

/** The id of the document in `TRUSTED_DOCUMENTS`: here the operation name. */
function documentIdOf(document: DocumentNode): string {
  return getOperationAST(document)?.name?.value ?? '';
}

export function connect(url: string) {
  const byId = new PersistedQueryLink({ generateHash: documentIdOf, useGETForHashedQueries: true });
  return new ApolloClient({
    cache: new InMemoryCache({ possibleTypes }),
    link: byId.concat(new HttpLink({ uri: url })),
  });
}

export const listVoices = gql`
  query Voices {
    voices {
      __typename
      ... on VoiceList { nodes { __typename id name previewUrl } }
      ... on LipsyncError { code message }
    }
  }
`;
