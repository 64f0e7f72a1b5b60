import type { GraphQLClient } from '../support/graphql-client.ts';

/** Creates a lip-sync of the newest video and returns its id. */
export async function requestLipsync({ ask }: GraphQLClient): Promise<string> {
  const listed = await ask<{ videos: { nodes: { id: string }[] } }>(
    '{ videos(first: 1, filter: { status: [COMPLETED] }) { ... on VideoConnection { nodes { id } } } }',
  );
  const created = await ask<{ createLipsync: { lipsync: { id: string } } }>(
    `mutation ($video: ID!) {
      createLipsync(input: { video: { id: $video }, speech: { text: { text: "Hello." } } }) {
        ... on CreateLipsyncSuccess { lipsync { id } }
        ... on LipsyncError { code message }
      }
    }`,
    { video: listed.data?.videos.nodes[0]?.id },
  );
  const id = created.data?.createLipsync.lipsync?.id;
  if (id === undefined) throw new Error(`No lip-sync was created: ${JSON.stringify(created)}`);
  return id;
}

export async function readLipsync({ ask }: GraphQLClient, id: string): Promise<unknown> {
  const { data } = await ask('query ($id: ID!) { lipsync(id: $id) { id status } }', { id });
  return data?.lipsync;
}
