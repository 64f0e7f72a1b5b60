import { ApolloClient, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { type DocumentNode, getOperationAST } from 'graphql';
import { possibleTypes } from 'lipsync-graphql-client';

/** `TRUSTED_DOCUMENTS` of the server has the query below under its name. */
function idOf(document: DocumentNode): string {
  return getOperationAST(document)?.name?.value ?? '';
}

export function connect(url: string) {
  const byId = new PersistedQueryLink({ generateHash: idOf, useGETForHashedQueries: true });
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
