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
import { EnumName, makeValue } from './values.ts';

export type Operation = {
  kind: 'query' | 'mutation' | 'subscription';
  query: string;
  variables: Record<string, unknown>;
};

const deepest = 6;

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
  const root = schema.getRootType(kind as OperationTypeNode);
  if (root === null || root === undefined) throw new Error(`The schema has no ${kind}.`);
  return new DocumentMaker(draw, schema).make(kind, root);
}

/** Mostly succeeds: without lip-syncs there is nothing to watch, cancel or list. */
function makeLipsync(draw: Draw): Operation {
  const input = {
    video: { id: `«Video:${draw.nat(999)}»` },
    speech: draw.chance(80)
      ? { text: { text: `Number ${draw.nat(999)}` } }
      : { audioUploadId: `«Upload:${draw.nat(999)}»` },
    ...(draw.chance(30) ? { idempotencyKey: `key ${draw.nat(20)}` } : {}),
    ...(draw.chance(20) ? { callbackUrl: 'http://127.0.0.1:9/hook' } : {}),
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
