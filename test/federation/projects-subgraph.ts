import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buildSubgraphSchema } from '@apollo/subgraph';
import type { GraphQLResolverMap } from '@apollo/subgraph/dist/schema-helper/resolverMap.js';
import { parse } from 'graphql';
import { createYoga } from 'graphql-yoga';

/**
 * Another team's subgraph: project management, written SDL first, with numeric ids and its own Relay `node`. All it knows of
 * our types is that a video and a lip-sync have ids.
 */
export const projectsSdl = /* GraphQL */ `
  extend schema
    @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@shareable"])

  type Query {
    node(id: ID!): Node
    nodes(ids: [ID!]!): [Node]!
    projects(first: Int = 10, after: String): ProjectConnection!
  }

  type Mutation {
    createProject(input: CreateProjectInput!): CreateProjectResult!
  }

  interface Node {
    id: ID!
  }

  type PageInfo @shareable {
    hasNextPage: Boolean!
    hasPreviousPage: Boolean!
    startCursor: String
    endCursor: String
  }

  type Project implements Node @key(fields: "id") {
    id: ID!
    name: String!
    videos: [Video!]!
    lipsync: Lipsync
  }

  type ProjectConnection {
    edges: [ProjectEdge!]!
    pageInfo: PageInfo!
  }

  type ProjectEdge {
    cursor: String!
    node: Project!
  }

  type Video @key(fields: "id") {
    id: ID!
    projects: [Project!]!
  }

  type Lipsync @key(fields: "id", resolvable: false) {
    id: ID!
  }

  input CreateProjectInput {
    name: String!
    videoIds: [ID!]
    lipsyncId: ID
  }

  union CreateProjectResult = CreateProjectSuccess | ProjectNameTaken

  type CreateProjectSuccess {
    project: Project!
  }

  type ProjectNameTaken {
    name: String!
  }
`;

type Project = {
  id: string;
  name: string;
  videos: { id: string }[];
  lipsync: { id: string } | null;
  owner: string;
};
type CreateProject = { name: string; videoIds?: string[] | null; lipsyncId?: string | null };
type Context = { request: Request };

export type ProjectsSubgraph = {
  url: string;
  sdl: string;
  /** The number of requests so far. */
  countRequests(): number;
  close(): Promise<void>;
};

/** The owner of a request: this subgraph uses the token itself as the name. */
function ownerOf({ request }: Context): string {
  return request.headers.get('authorization') ?? 'nobody';
}

export async function startProjectsSubgraph(): Promise<ProjectsSubgraph> {
  let requests = 0;
  const yoga = createYoga({
    schema: buildSubgraphSchema({
      typeDefs: parse(projectsSdl),
      resolvers: createResolvers() as GraphQLResolverMap<unknown>,
    }),
    logging: false,
    plugins: [
      {
        onRequestParse: () => {
          requests += 1;
        },
      },
    ],
  });
  const server = createServer(yoga);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/graphql`,
    sdl: projectsSdl,
    countRequests: () => requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function createResolvers() {
  const projects: Project[] = [];
  const own = (context: Context) => projects.filter(({ owner }) => owner === ownerOf(context));
  const find = (id: string, context: Context) => {
    const project = own(context).find((each) => each.id === id);
    return project === undefined ? null : { __typename: 'Project', ...project };
  };
  return {
    Query: {
      node: (_: unknown, { id }: { id: string }, context: Context) => find(id, context),
      nodes: (_: unknown, { ids }: { ids: string[] }, context: Context) =>
        ids.map((id) => find(id, context)),
      projects: (_: unknown, args: { first: number; after?: string }, context: Context) =>
        toConnection(own(context), args),
    },
    Mutation: {
      createProject: (_: unknown, { input }: { input: CreateProject }, context: Context) => {
        const { name, videoIds, lipsyncId } = input;
        if (own(context).some((each) => each.name === name)) {
          return { __typename: 'ProjectNameTaken', name };
        }
        const project: Project = {
          id: String(projects.length + 1),
          name,
          videos: (videoIds ?? []).map((id) => ({ id })),
          lipsync: lipsyncId == null ? null : { id: lipsyncId },
          owner: ownerOf(context),
        };
        projects.push(project);
        return { __typename: 'CreateProjectSuccess', project };
      },
    },
    Project: {
      __resolveReference: ({ id }: { id: string }, context: Context) => find(id, context),
    },
    Video: {
      __resolveReference: ({ id }: { id: string }) => ({ id }),
      projects: ({ id }: { id: string }, _: unknown, context: Context) =>
        own(context).filter(({ videos }) => videos.some((video) => video.id === id)),
    },
  };
}

function toConnection(all: Project[], { first, after }: { first: number; after?: string }) {
  const start = after === undefined ? 0 : Number(after);
  const edges = all
    .slice(start, start + first)
    .map((node, at) => ({ node, cursor: String(start + at + 1) }));
  return {
    edges,
    pageInfo: {
      hasNextPage: start + edges.length < all.length,
      hasPreviousPage: start > 0,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}
