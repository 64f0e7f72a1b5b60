import {
  type GraphQLArgument,
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLSchema,
  getNamedType,
  isCompositeType,
  isNonNullType,
  isObjectType,
  type OperationTypeNode,
} from 'graphql';
import type { Draw } from './draw.ts';
import { addresses, EnumName, makeValue, oddKeys } from './values.ts';

export type Operation = {
  kind: 'query' | 'mutation' | 'subscription';
  query: string;
  variables: Record<string, unknown>;
};

const deepest = 6;

/** Where webhooks can be sent to, and no server listens. */
const closedPort = 'http://127.0.0.1:9/hook';

/** A document that is valid for the schema except for some values. */
export function makeOperation(draw: Draw, schema: GraphQLSchema): Operation {
  const kind = draw.pick([
    'query',
    'query',
    'query',
    'mutation',
    'mutation',
    'subscription',
  ] as const);
  if (draw.chance(6)) return makeLipsync(draw);
  if (draw.chance(4)) return makeUpload(draw);
  if (draw.chance(3)) return makePage(draw);
  if (draw.chance(4)) return makeRedelivery(draw);
  const root = schema.getRootType(kind as OperationTypeNode);
  if (root === null || root === undefined) throw new Error(`The schema has no ${kind}.`);
  return new DocumentMaker(draw, schema).make(kind, root);
}

/** Mostly succeeds: without lip-syncs there is nothing to watch, cancel or list. */
function makeLipsync(draw: Draw): Operation {
  const usualOr = (usual: string, odd: readonly string[]) =>
    draw.chance(70) ? usual : draw.pick(odd);
  const input = {
    video: { videoId: `«Video:${draw.nat(999)}»` },
    speech: draw.chance(80)
      ? { script: { text: `Number ${draw.nat(999)}` } }
      : { uploadId: `«Upload:${draw.nat(999)}»` },
    ...(draw.chance(30) ? { idempotencyKey: usualOr(`key ${draw.nat(20)}`, oddKeys) } : {}),
    ...(draw.chance(40) ? { callbackUrl: usualOr(closedPort, addresses) } : {}),
    ...(draw.chance(20) ? { reference: usualOr('a reference', oddKeys) } : {}),
  };
  return {
    kind: 'mutation',
    query: `mutation ($input: CreateLipsyncInput!) { createLipsync(input: $input) { __typename
      ... on CreateLipsyncSuccess { lipsync { id status events { nodes { cursor } } webhookDeliveries { id } } }
      ... on LipsyncError { code message } } }`,
    variables: { input },
  };
}

/** Creates an upload, so that PUT /uploads has open URLs. */
function makeUpload(draw: Draw): Operation {
  const kind = draw.pick(['AUDIO', 'AUDIO', 'VIDEO']);
  const contentType = kind === 'AUDIO' ? 'audio/wav' : 'video/mp4';
  return {
    kind: 'mutation',
    query: `mutation { createUpload(input: { kind: ${kind}, contentType: "${contentType}" }) { __typename
      ... on CreateUploadSuccess { uploadUrl upload { id } } } }`,
    variables: {},
  };
}

/** A list from the cursor of any list. */
function makePage(draw: Draw): Operation {
  const variables = { cursor: `«Cursor:${draw.nat(999)}»`, id: `«Lipsync:${draw.nat(999)}»` };
  const page = 'edges { cursor node { id } } pageInfo { startCursor endCursor }';
  const list = draw.pick([
    `lipsyncs(first: 5, after: $cursor) { ${page} }`,
    `lipsyncs(last: 5, before: $cursor) { ${page} }`,
    `videos(first: 5, after: $cursor) { ... on VideoConnection { ${page} } }`,
    `videos(last: 5, before: $cursor) { ... on VideoConnection { ${page} } }`,
  ]);
  return draw.pick<Operation>([
    { kind: 'query', query: `query ($cursor: String) { ${list} }`, variables },
    {
      kind: 'query',
      query:
        'query ($id: ID!, $cursor: String) { lipsync(id: $id) { events(first: 5, after: $cursor) { edges { cursor } } } }',
      variables,
    },
    {
      kind: 'subscription',
      query:
        'subscription ($id: ID!, $cursor: String) { lipsyncProgress(id: $id, after: $cursor) { __typename ... on LipsyncProgress { cursor } } }',
      variables,
    },
  ]);
}

/** Reads the webhooks of a lip-sync, or sends one again. */
function makeRedelivery(draw: Draw): Operation {
  if (draw.chance(50)) {
    const query = 'query ($id: ID!) { lipsync(id: $id) { webhookDeliveries { id status url } } }';
    return { kind: 'query', query, variables: { id: `«Lipsync:${draw.nat(999)}»` } };
  }
  return {
    kind: 'mutation',
    query: 'mutation ($id: ID!) { redeliverWebhook(input: { id: $id }) { __typename } }',
    variables: { id: `«WebhookDelivery:${draw.nat(999)}»` },
  };
}

class DocumentMaker {
  readonly #draw: Draw;
  readonly #schema: GraphQLSchema;
  readonly #variables = new Map<string, { type: string; value: unknown }>();
  readonly #fragments: string[] = [];
  #aliases = 0;

  constructor(draw: Draw, schema: GraphQLSchema) {
    this.#draw = draw;
    this.#schema = schema;
  }

  make(kind: Operation['kind'], root: GraphQLCompositeType): Operation {
    const selections = this.#selectionSet(root, kind === 'query' ? 0 : 1, kind === 'query' ? 3 : 1);
    const declared = [...this.#variables].map(([name, { type }]) => `$${name}: ${type}`);
    const head = declared.length > 0 ? `${kind} Fuzz(${declared.join(', ')})` : kind;
    return {
      kind,
      query: [`${head} ${selections}`, ...this.#fragments].join('\n'),
      variables: Object.fromEntries([...this.#variables].map(([name, { value }]) => [name, value])),
    };
  }

  #selectionSet(type: GraphQLCompositeType, depth: number, most: number): string {
    const draw = this.#draw;
    const parts = ['__typename'];
    if ('getFields' in type) {
      const fields = Object.values(type.getFields());
      const simple = fields.filter((field) => !isCompositeType(getNamedType(field.type)));
      const choice = depth >= deepest ? simple : fields;
      const count = choice.length === 0 ? 0 : 1 + draw.nat(most - 1);
      for (let at = 0; at < count; at += 1) {
        parts.push(this.#field(type, draw.pick(choice), depth));
      }
    }
    if (!isObjectType(type) && depth < deepest) parts.push(...this.#narrowed(type, depth));
    return `{ ${(depth === 1 ? parts.slice(parts.length > 1 ? 1 : 0) : parts).join(' ')} }`;
  }

  /** Selects members of a union or interface with inline and named fragments. */
  #narrowed(type: GraphQLCompositeType, depth: number): string[] {
    const draw = this.#draw;
    const members = isObjectType(type) ? [] : [...this.#schema.getPossibleTypes(type)];
    // Success types have nested fields; error types are covered anyway.
    const chosen = members.filter(({ name }) => !name.endsWith('Error') || draw.chance(20));
    return chosen.map((member) => {
      const set = this.#selectionSet(member, depth + 1, 4);
      if (!draw.chance(20)) return `... on ${member.name}${this.#directive()} ${set}`;
      const name = `F${this.#fragments.length}`;
      this.#fragments.push(`fragment ${name} on ${member.name} ${set}`);
      return `...${name}`;
    });
  }

  #field(type: GraphQLCompositeType, field: GraphQLField<unknown, unknown>, depth: number): string {
    const draw = this.#draw;
    const named = getNamedType(field.type);
    const given = field.args
      .filter((arg) => (isNonNullType(arg.type) ? !draw.chance(1) : draw.chance(40)))
      .map(
        (arg) => `${arg.name}: ${this.#argument(arg, `${type.name}.${field.name}.${arg.name}`)}`,
      );
    // Without an alias, fields with different arguments or types would not merge.
    const isAliased = field.args.length > 0 || type.name.endsWith('Error') || draw.chance(10);
    this.#aliases += isAliased ? 1 : 0;
    const alias = isAliased ? `a${this.#aliases}: ` : '';
    const args = given.length > 0 ? `(${given.join(', ')})` : '';
    const set = isCompositeType(named) ? ` ${this.#selectionSet(named, depth + 2, 4)}` : '';
    return `${alias}${field.name}${args}${this.#directive()}${set}`;
  }

  #argument(arg: GraphQLArgument, coordinate: string): string {
    const draw = this.#draw;
    const value = makeValue(draw, arg.type, coordinate);
    if (draw.chance(40)) return printValue(value);
    const name = `v${this.#variables.size}`;
    this.#variables.set(name, { type: String(arg.type), value });
    return `$${name}`;
  }

  #directive(): string {
    const draw = this.#draw;
    if (!draw.chance(5)) return '';
    const name = draw.chance(95)
      ? draw.pick(['include', 'skip'])
      : draw.pick(['defer', 'deprecated']);
    return ` @${name}(if: ${draw.chance(70)})`;
  }
}

/** A value in GraphQL syntax: JSON except for names. */
export function printValue(value: unknown): string {
  if (value instanceof EnumName) return value.name;
  if (Array.isArray(value)) return `[${value.map(printValue).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).map(
      ([key, each]) => `${nameOf(key)}: ${printValue(each)}`,
    );
    return `{ ${fields.join(', ')} }`;
  }
  return JSON.stringify(value) ?? 'null';
}

function nameOf(key: string): string {
  return /^[_A-Za-z]\w*$/.test(key) ? key : '_odd';
}
