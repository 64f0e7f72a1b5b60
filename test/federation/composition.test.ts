import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  composeSchemaContract,
  transformSupergraphToPublicSchema,
} from '@theguild/federation-composition';
import { buildASTSchema, Kind, parse, print } from 'graphql';
import { describe, expect, test } from 'vitest';
import { readMarkdown } from '../support/markdown.ts';
import { composers, type Subgraph } from './compose.ts';
import { neighbourSdl } from './projects-subgraph.ts';

// What is committed, since that is what a registry is given: test/schema.test.ts holds that it is the program's.
const sdl = await readFile('schema.graphql', 'utf8');

const { blocks } = readMarkdown(await readFile('docs/federation.md', 'utf8'));
const written = (language: string) => blocks.find((block) => block.language === language)?.text;

/** What every subgraph begins with, and a field, without which there is none. */
const head = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
  type Query { projects: [Project!]! }`;

const lipsync: Subgraph = { name: 'lipsync', url: 'http://lipsync.example/graphql', sdl };
const projects = neighbour(neighbourSdl);

function neighbour(text: string): Subgraph {
  return { name: 'projects', url: 'http://projects.example/graphql', sdl: text };
}

/** The subgraphs that a field of `Query` is asked of. */
function homesOf(supergraph: string, field: string): string[] {
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

describe.each(Object.entries(composers))('the composer of %s', (_name, compose) => {
  describe('works', () => {
    test('the subgraph composes alone', () => {
      expect(compose([lipsync]).errors).toEqual([]);
    });

    test.each([
      ['as written in docs/federation.md', `${head}\n${written('sdl')}`],
      ['with a Relay node of its own', neighbourSdl],
      [
        'with a node that others may share',
        neighbourSdl.replace(/(node\(.*|nodes\(.*)/g, '$1 @shareable'),
      ],
      [
        'with pages whose fields are shared one by one',
        neighbourSdl
          .replace('type PageInfo @shareable', 'type PageInfo')
          .replace(/((has\w+Page: Boolean!)|((start|end)Cursor: String))/g, '$1 @shareable'),
      ],
    ])('it composes with a neighbour %s', (_, text) => {
      expect(compose([lipsync, neighbour(text)]).errors).toEqual([]);
    });
  });

  describe('refuses', () => {
    test('a second node in the graph, which is why ours is not published', () => {
      const withNode = sdl.replace('type Query {', 'type Query { node(id: ID!): Node');
      const { errors } = compose([{ ...lipsync, sdl: withNode }, projects]);
      expect(errors.join()).toMatch(/"Query\.node"|"node"/);
    });

    test('one that clients could not see as well, which is why nothing is inaccessible', () => {
      const withNode = sdl
        .replace('"@key", ', '"@inaccessible", "@key", ')
        .replace('type Query {', 'type Query { node(id: ID!): Node @inaccessible');
      const { errors } = compose([{ ...lipsync, sdl: withNode }, projects]);
      expect(errors.join()).toMatch(/"Query\.node"|"node"/);
    });
  });
});

test('the headers of docs/federation.md are those of the gateway that is tried', async () => {
  const bare = (text = '') => text.replaceAll(/\s+/g, ' ').trim();
  const config = await readFile(join(import.meta.dirname, 'gateway.config.ts'), 'utf8');
  expect(written('ts')).toContain('authorization');
  expect(bare(config)).toContain(bare(written('ts')));
});

describe('works', () => {
  // Cosmo's router reads no supergraph of this form.
  test.each(['GraphOS', 'Hive'])(
    "in the supergraph of %s the neighbour's node is its own, and costs are told",
    (name) => {
      const { supergraph = '' } = composers[name]?.([lipsync, projects]) ?? {};
      expect(homesOf(supergraph, 'node')).toEqual(['PROJECTS']);
      expect(homesOf(supergraph, 'nodes')).toEqual(['PROJECTS']);
      expect(homesOf(supergraph, 'lipsync')).toEqual(['LIPSYNC']);
      expect(supergraph).toMatch(/\): CreateLipsyncResult! .*@cost\(weight: 10\)/);
      expect(supergraph).toMatch(/\): LipsyncConnection! .*@listSize\([^)]*assumedSize: 20/);
    },
  );
});

describe('keeps out', () => {
  test('what is tagged admin, with all that only it leads to, from a contract without that tag', () => {
    const services = [lipsync, projects].map((each) => ({ ...each, typeDefs: parse(each.sdl) }));
    const filter = { include: new Set<string>(), exclude: new Set(['admin']) };
    const contract = composeSchemaContract(services, filter, true);
    expect(contract.errors).toBeUndefined();
    const whole = composers.Hive?.([lipsync, projects]).supergraph ?? '';
    expect(namesIn(whole)).toContain('AccountsResult');
    const left = namesIn(contract.supergraphSdl ?? '');
    expect(left).toContain('createLipsync');
    expect(
      left.filter((name) =>
        /^(re[cC]onnect|accounts?$|Accounts?(List|Result)?$|email$)/.test(name),
      ),
    ).toEqual([]);
  });
});

/** The types that a client of the graph sees, and their fields. */
function namesIn(supergraph: string): string[] {
  const schema = buildASTSchema(transformSupergraphToPublicSchema(parse(supergraph)));
  return Object.values(schema.getTypeMap()).flatMap((type) => [
    type.name,
    ...('getFields' in type ? Object.keys(type.getFields()) : []),
  ]);
}
