/*
 * Servers that answer the reads of `bench/reads.ts` with the data of a file, from memory: `bare` sends a kept text with
 * node:http, the others execute the query with resolvers that do nothing. JavaScript, because the packages are installed
 * only for the measurement and not for the type checker.
 *
 *     node bench/peers/reads.mjs <name> <file with the data>
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const [, , name = '', file = ''] = process.argv;
const data = JSON.parse(readFileSync(file, 'utf8'));
const voices = { __typename: 'VoiceList', ...data.voices };
const videos = { __typename: 'VideoConnection', ...data.videos };

const typeDefs = `
  type Query { voices: VoicesResult! videos(first: Int): VideosResult! }
  union VoicesResult = VoiceList | Failed
  union VideosResult = VideoConnection | Failed
  type VoiceList { nodes: [Voice!]! }
  type Voice { id: ID! name: String previewUrl: String }
  type VideoConnection { edges: [VideoEdge!]! pageInfo: PageInfo! }
  type VideoEdge { cursor: String! node: Video! }
  type Video { id: ID! status: VideoStatus! url: String prompt: String createdAt: String }
  enum VideoStatus { QUEUED GENERATING COMPLETED FAILED MODERATED UNKNOWN }
  type PageInfo { hasNextPage: Boolean! endCursor: String }
  type Failed { code: String! }`;
const resolvers = { Query: { voices: async () => voices, videos: async () => videos } };

function listening({ port }) {
  const url = `http://127.0.0.1:${port}`;
  process.stdout.write(`${JSON.stringify({ msg: 'listening', url })}\n`);
}

const start = {
  async bare() {
    const text = JSON.stringify({ data });
    const headers = {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(text),
    };
    const server = createServer((request, response) => {
      request.resume().once('end', () => response.writeHead(200, headers).end(text));
    });
    server.listen(0, '127.0.0.1', () => listening(server.address()));
  },
  async mercurius() {
    const [{ default: fastify }, { default: mercurius }] = await Promise.all([
      import('fastify'),
      import('mercurius'),
    ]);
    const app = fastify();
    app.register(mercurius, { schema: typeDefs, resolvers, jit: 1 });
    await app.listen({ port: 0, host: '127.0.0.1' });
    listening(app.server.address());
  },
  async yoga() {
    const [{ createYoga }, { default: SchemaBuilder }] = await Promise.all([
      import('graphql-yoga'),
      import('@pothos/core'),
    ]);
    const server = createServer(
      createYoga({ schema: buildWithPothos(SchemaBuilder), logging: false }),
    );
    server.listen(0, '127.0.0.1', () => listening(server.address()));
  },
  async apollo() {
    const [{ ApolloServer }, { startStandaloneServer }] = await Promise.all([
      import('@apollo/server'),
      import('@apollo/server/standalone'),
    ]);
    const server = new ApolloServer({ typeDefs, resolvers });
    const { url } = await startStandaloneServer(server, { listen: { port: 0, host: '127.0.0.1' } });
    listening({ port: new URL(url).port });
  },
};

function buildWithPothos(SchemaBuilder) {
  const builder = new SchemaBuilder({});
  const exposeAll = (typename, types) =>
    builder.objectRef(typename).implement({
      fields: (t) =>
        Object.fromEntries(
          Object.entries(types).map(([field, type]) => [
            field,
            t.expose(field, { type, nullable: !['id', 'cursor', 'hasNextPage'].includes(field) }),
          ]),
        ),
    });
  const status = builder.enumType('VideoStatus', { values: ['COMPLETED', 'FAILED'] });
  const voice = exposeAll('Voice', { id: 'ID', name: 'String', previewUrl: 'String' });
  const video = exposeAll('Video', {
    ...{ id: 'ID', status, url: 'String', prompt: 'String', createdAt: 'String' },
  });
  const edge = exposeAll('VideoEdge', { cursor: 'String', node: video });
  const pageInfo = exposeAll('PageInfo', { hasNextPage: 'Boolean', endCursor: 'String' });
  const list = exposeAll('VoiceList', { nodes: [voice] });
  const connection = exposeAll('VideoConnection', { edges: [edge], pageInfo });
  const failed = exposeAll('Failed', { code: 'String' });
  const unionOf = (typename, type) =>
    builder.unionType(typename, {
      types: [type, failed],
      resolveType: (value) => value.__typename,
    });
  builder.queryType({
    fields: (t) => ({
      voices: t.field({ type: unionOf('VoicesResult', list), resolve: resolvers.Query.voices }),
      videos: t.field({
        type: unionOf('VideosResult', connection),
        args: { first: t.arg.int() },
        resolve: resolvers.Query.videos,
      }),
    }),
  });
  return builder.toSchema();
}

process.once('SIGTERM', () => process.exit(0));
await start[name]();
