import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { QueryPlanner } from '@graphql-hive/router-query-planner';
import {
  composeSchemaContract,
  transformSupergraphToPublicSchema,
} from '@theguild/federation-composition';
import { buildASTSchema, Kind, parse, print } from 'graphql';
import { describe, expect, test } from 'vitest';
import { readMarkdown } from '../support/markdown.ts';
import { composers, type Subgraph } from './compose.ts';
import { projectsSdl } from './projects-subgraph.ts';

// The committed file, which is published to registries; test/schema.test.ts verifies that it is up to date.
const sdl = await readFile('schema.graphql', 'utf8');

const { blocks } = readMarkdown(await readFile('docs/federation.md', 'utf8'));
const written = (language: string) => blocks.find((block) => block.language === language)?.text;

/** The header of every subgraph, with the one `Query` field that a schema needs. */
const head = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
  type Query { projects: [Project!]! }`;

const lipsync: Subgraph = { name: 'lipsync', url: 'http://lipsync.example/graphql', sdl };
const projects = otherSubgraph(projectsSdl);

function otherSubgraph(text: string): Subgraph {
  return { name: 'projects', url: 'http://projects.example/graphql', sdl: text };
}

/** The subgraphs that resolve a field of `Query`. */
function subgraphsOf(supergraph: string, field: string): string[] {
  const query = parse(supergraph).definitions.find(
    (node) => node.kind === Kind.OBJECT_TYPE_DEFINITION && node.name.value === 'Query',
  );
  const fields = query?.kind === Kind.OBJECT_TYPE_DEFINITION ? query.fields : [];
  const directives = fields?.find(({ name }) => name.value === field)?.directives ?? [];
  return directives.flatMap((directive) => {
    const graph = directive.arguments?.find(({ name }) => name.value === 'graph');
    return directive.name.value === 'join__field' && graph ? [print(graph.value)] : [];
  });
}

/** Another subgraph with types of its own, as it would write them alone. */
const neighbour = (types: string) =>
  otherSubgraph(`extend schema
    @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@shareable"])
  ${types}`);

const pageFields =
  'hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String endCursor: String';

/** Names of ours in another subgraph: what fails, and the same after what docs/federation.md says to do. */
const conflicts = [
  {
    name: 'NotFoundError',
    own: 'type NotFoundError { message: String! project: String! } type Query { project: NotFoundError }',
    changed:
      'type ProjectNotFoundError { message: String! project: String! } type Query { project: ProjectNotFoundError }',
  },
  {
    name: 'NotFoundError',
    own: 'type NotFoundError @shareable { message: String! } type Query { project: NotFoundError }',
    changed: 'type Gone @shareable { message: String! } type Query { project: Gone }',
  },
  {
    name: 'File',
    own: 'type File { path: String! } type Query { file: File }',
    changed: 'type ProjectFile { path: String! } type Query { file: ProjectFile }',
  },
  {
    name: 'PageInfo',
    own: `type PageInfo { ${pageFields} } type Query { page: PageInfo }`,
    changed: `type PageInfo @shareable { ${pageFields} } type Query { page: PageInfo }`,
  },
  {
    name: 'PageInfo',
    own: `type PageInfo @shareable { ${pageFields} total: Int } type Query { page: PageInfo }`,
    changed: `type PageInfo @shareable { ${pageFields} } type Query { page: PageInfo }`,
  },
  {
    name: 'Video',
    own: 'type Video { id: ID! title: String } type Query { film: Video }',
    changed: 'type Film { id: ID! title: String } type Query { film: Film }',
  },
  {
    name: 'Account',
    own: 'type Account { id: ID! balance: Int } type Query { balance: Account }',
    changed: 'type BankAccount { id: ID! balance: Int } type Query { balance: BankAccount }',
  },
  {
    name: 'Upload',
    own: 'scalar Upload type Query { read(file: Upload): String }',
    changed: 'scalar File type Query { read(file: File): String }',
  },
  {
    name: 'DateTime',
    own: 'type DateTime { iso: String! } type Query { now: DateTime }',
    changed: 'scalar DateTime type Query { now: DateTime }',
  },
  {
    name: 'viewer',
    own: 'type User { id: ID! } type Query { viewer: User }',
    changed: 'type User { id: ID! } type Query { me: User }',
  },
];

describe.each(Object.entries(composers))('the composer of %s', (_name, compose) => {
  describe('works', () => {
    test('the subgraph composes alone', () => {
      expect(compose([lipsync]).errors).toEqual([]);
    });

    test.each([
      ['as written in docs/federation.md', `${head}\n${written('sdl')}`],
      ['with a Relay node of its own', projectsSdl],
      [
        'with a node that others may share',
        projectsSdl.replace(/(node\(.*|nodes\(.*)/g, '$1 @shareable'),
      ],
      [
        'with pages whose fields are shared one by one',
        projectsSdl
          .replace('type PageInfo @shareable', 'type PageInfo')
          .replace(/((has\w+Page: Boolean!)|((start|end)Cursor: String))/g, '$1 @shareable'),
      ],
    ])('the subgraph composes with another one %s', (_, text) => {
      expect(compose([lipsync, otherSubgraph(text)]).errors).toEqual([]);
    });
  });

  describe('a name that another subgraph has too', () => {
    test.each(conflicts)('$name: $own', ({ name, own, changed }) => {
      const { errors } = compose([lipsync, neighbour(own)]);
      expect(errors.join()).toContain(name);
      expect(compose([lipsync, neighbour(changed)]).errors).toEqual([]);
    });

    test.each([
      [
        'Node',
        'interface Node { id: ID! } type Task implements Node { id: ID! } type Query { task: Task }',
      ],
      ['URL and SafeInt', 'scalar URL scalar SafeInt type Query { home: URL size: SafeInt }'],
      ['File', 'scalar File type Query { read(file: File): String }'],
      [
        'Video as our entity',
        'type Video @key(fields: "id") { id: ID! tags: [String!]! } type Query { tagged: [Video!]! }',
      ],
      ['Scope', 'enum Scope { PUBLIC PRIVATE } type Query { scope: Scope }'],
    ])('%s merges', (_name, own) => {
      expect(compose([lipsync, neighbour(own)]).errors).toEqual([]);
    });
  });

  describe('refuses', () => {
    test('two subgraphs with Query.node, which is why ours is not published', () => {
      const withNode = sdl.replace('type Query {', 'type Query { node(id: ID!): Node');
      const { errors } = compose([{ ...lipsync, sdl: withNode }, projects]);
      expect(errors.join()).toMatch(/"Query\.node"|"node"/);
    });

    test('a type that is inaccessible in one subgraph only, which is why we use no @inaccessible', () => {
      const withNode = sdl
        .replace('"@key", ', '"@inaccessible", "@key", ')
        .replace('type Query {', 'type Query { node(id: ID!): Node @inaccessible');
      const { errors } = compose([{ ...lipsync, sdl: withNode }, projects]);
      expect(errors.join()).toMatch(/"Query\.node"|"node"/);
    });
  });
});

test('docs/federation.md shows the header configuration of the tested gateway', async () => {
  const bare = (text = '') => text.replaceAll(/\s+/g, ' ').trim();
  const config = await readFile(join(import.meta.dirname, 'gateway.config.ts'), 'utf8');
  expect(written('ts')).toContain('authorization');
  expect(bare(config)).toContain(bare(written('ts')));
});

describe('works', () => {
  // Cosmo's router does not use this supergraph format.
  test.each(['GraphOS', 'Hive'])(
    'the supergraph of %s resolves node by the other subgraph, and contains our costs',
    (name) => {
      const { supergraph = '' } = composers[name]?.([lipsync, projects]) ?? {};
      expect(subgraphsOf(supergraph, 'node')).toEqual(['PROJECTS']);
      expect(subgraphsOf(supergraph, 'nodes')).toEqual(['PROJECTS']);
      expect(subgraphsOf(supergraph, 'lipsync')).toEqual(['LIPSYNC']);
      expect(supergraph).toMatch(/\): CreateLipsyncResult! .*@cost\(weight: 10\)/);
      expect(supergraph).toMatch(/\): LipsyncConnection .*@listSize\([^)]*assumedSize: 20/);
    },
  );
});

describe('keeps out', () => {
  test('fields tagged admin, and types that only they reach, from a contract that excludes the tag', () => {
    const services = [lipsync, projects].map((each) => ({ ...each, typeDefs: parse(each.sdl) }));
    const filter = { include: new Set<string>(), exclude: new Set(['admin']) };
    const contract = composeSchemaContract(services, filter, true);
    expect(contract.errors).toBeUndefined();
    const supergraph = composers.Hive?.([lipsync, projects]).supergraph ?? '';
    expect(namesIn(supergraph)).toContain('AccountsResult');
    const names = namesIn(contract.supergraphSdl ?? '');
    expect(names).toContain('createLipsync');
    expect(
      names.filter((name) =>
        /^(re[cC]onnect|accounts?$|Accounts?(List|Result)?$|email$)/.test(name),
      ),
    ).toEqual([]);
  });
});

/** The names of the types and fields in the public schema. */
function namesIn(supergraph: string): string[] {
  const schema = buildASTSchema(transformSupergraphToPublicSchema(parse(supergraph)));
  return Object.values(schema.getTypeMap()).flatMap((type) => [
    type.name,
    ...('getFields' in type ? Object.keys(type.getFields()) : []),
  ]);
}

describe('the query planner of Hive Router', () => {
  const { supergraph = '' } = composers.Hive?.([lipsync, projects]) ?? {};
  const plan = (query: string) => {
    const { node } = new QueryPlanner(supergraph).plan(query, null, new Set(), 0);
    return JSON.stringify(node);
  };

  test('fetches our fields of an entity of another subgraph by its key', () => {
    const planned = plan('{ projects { edges { node { lipsync { status result { url } } } } } }');
    expect(planned).toMatch(/"serviceName":"projects".*lipsync\{__typename id\}/);
    expect(planned).toMatch(/"serviceName":"lipsync".*on Lipsync\{status result\{url\}\}/);
  });

  test.each([
    ['query', '{ voices { __typename ... on VoiceList { nodes { name } } } }'],
    ['mutation', 'mutation ($id: ID!) { cancelLipsync(input: { id: $id }) { __typename } }'],
    [
      'subscription',
      `subscription ($id: ID!) { lipsyncProgress(id: $id) {
         ... on LipsyncProgress { status } ... on LipsyncError { code } } }`,
    ],
  ])('sends a %s of ours to us alone', (kind, query) => {
    const planned = plan(query);
    expect(planned).toContain(`"operationKind":"${kind}"`);
    expect(planned.match(/"serviceName":"\w+"/g)).toEqual(['"serviceName":"lipsync"']);
  });
});
