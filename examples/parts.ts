import { ApolloClient, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { Defer20220824Handler } from '@apollo/client/incremental';
import { possibleTypes } from 'lipsync-graphql-client';

export function connect(url: string) {
  return new ApolloClient({
    cache: new InMemoryCache({ possibleTypes }),
    incrementalHandler: new Defer20220824Handler(),
    link: new HttpLink({ uri: url }),
  });
}

/** What this server knows is there at once; for the voices it has to ask the video service. */
export const openPage = gql`
  query OpenPage {
    lipsyncs(first: 20) {
      nodes { id status }
    }
    ... @defer {
      voices {
        ... on VoiceList { nodes { id name } }
        ... on LipsyncError { code message }
      }
    }
  }
`;

/** Shows the page as soon as there is something of it, and again with each part. */
export function showPage(client: ApolloClient, show: (page: unknown) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    client.watchQuery({ query: openPage }).subscribe({
      next: ({ data, error, loading }) => {
        if (error !== undefined) return reject(error);
        if (data !== undefined) show(data);
        if (!loading) resolve();
      },
      error: reject,
    });
  });
}
