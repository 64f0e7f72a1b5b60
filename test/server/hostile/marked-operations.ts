import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLInputType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isCompositeType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isObjectType,
  isUnionType,
} from 'graphql';
import { encodeId } from '../../../src/graphql/ids.ts';
import type { Operation } from '../../support/transports.ts';

/** A scalar or enum in an argument: the field, and the path from the argument inwards. */
export type Leaf = {
  /** `Mutation.reconnectAccount(input.password)`, for messages. */
  name: string;
  operation: 'query' | 'mutation' | 'subscription';
  /** The type that has the field: a root type, or an object that `node` can return. */
  parent: string;
  field: GraphQLField<unknown, unknown>;
  path: readonly string[];
  type: GraphQLInputType;
};

/** Where the server stops working on the document. */
export const stages = [
  'parse',
  'validate',
  'coerce a literal',
  'coerce a variable',
  'coerce an argument',
  'coerce a directive',
  'execute a literal',
  'execute a variable',
  'execute an id',
] as const;
export type Stage = (typeof stages)[number];

/** Every scalar and enum that a caller can write into an argument of the schema. */
export function leavesOf(schema: GraphQLSchema): Leaf[] {
  const operations = new Map<string | undefined, Leaf['operation']>([
    [schema.getMutationType()?.name, 'mutation'],
    [schema.getSubscriptionType()?.name, 'subscription'],
  ]);
  return Object.values(schema.getTypeMap()).flatMap((parent) => {
    if (!isObjectType(parent) || parent.name.startsWith('__')) return [];
    const operation = operations.get(parent.name) ?? 'query';
    return Object.values(parent.getFields()).flatMap((field) =>
      field.args.flatMap(pathsOf).map(({ path, type }) => ({
        name: `${parent.name}.${field.name}(${path.join('.')})`,
        ...{ operation, parent: parent.name, field, path, type },
      })),
    );
  });
}

function pathsOf({
  name,
  type,
}: GraphQLArgument | GraphQLInputField): Pick<Leaf, 'path' | 'type'>[] {
  const named = getNamedType(type);
  if (!isInputObjectType(named)) return [{ path: [name], type }];
  return Object.values(named.getFields())
    .flatMap(pathsOf)
    .map((inner) => ({ ...inner, path: [name, ...inner.path] }));
}

/** The operations with the marker in this place that fail, at the latest, at this stage. None where the stage cannot fail. */
export function operationsAt(
  leaf: Leaf,
  stage: Stage,
  { marker, knownId }: { marker: string; knownId: string },
): Operation[] {
  const text = JSON.stringify(marker);
  const document = (parts: Partial<Parts>) => documentOf(leaf, knownId, { value: text, ...parts });
  const wrong = { [marker.replaceAll('-', '_')]: [marker] };
  switch (stage) {
    case 'parse':
      return [{ query: `${document({})} {` }, { query: document({}).slice(0, -4) }];
    case 'validate':
      return [
        { query: document({ selection: '{ missing }' }) },
        { query: document({ value: marker.replaceAll('-', '_') }) },
      ];
    case 'coerce a literal':
      return [{ query: document({ value: `{ ${Object.keys(wrong)[0]}: [${text}] }` }) }];
    case 'coerce a variable':
      return [{ query: document(asVariable(leaf)), variables: { v: wrong } }];
    case 'coerce an argument': {
      // GraphQL finds during execution that the variable is null, and quotes the whole argument.
      const type = siblingTypeOf(leaf);
      if (type === null) return [];
      const head = `($n: ${type} = ${sampleOf(type)})`;
      return [{ query: document({ head, sibling: '$n' }), variables: { n: null } }];
    }
    case 'coerce a directive': {
      const selection = '{ __typename @include(if: $n) }';
      return [
        { query: document({ head: '($n: Boolean = true)', selection }), variables: { n: null } },
      ];
    }
    case 'execute a literal':
      return [{ query: document({}) }];
    case 'execute a variable':
      return [{ query: document(asVariable(leaf)), variables: { v: marker } }];
    case 'execute an id':
      if (getNamedType(leaf.type).name !== 'ID') return [];
      return ['Lipsync', 'Upload', 'Video', 'Voice', 'Account'].map((type) => ({
        query: document({ value: JSON.stringify(encodeId(type, marker)) }),
      }));
  }
}

type Parts = {
  /** The literal in the place of the leaf. */
  value: string;
  /** The variable definitions. */
  head: string;
  selection: string;
  /** Replaces the value of the first required field beside the leaf. */
  sibling: string;
};

function asVariable({ type }: Leaf): Pick<Parts, 'value' | 'head'> {
  return { value: '$v', head: `($v: ${getNamedType(type)}!)` };
}

function documentOf(
  leaf: Leaf,
  knownId: string,
  parts: Partial<Parts> & { value: string },
): string {
  const { operation, parent, field, path } = leaf;
  const { value, head = '', selection = selectionOf(field) } = parts;
  const siblings = parts.sibling === undefined ? [] : [parts.sibling];
  const sample = (type: GraphQLInputType) => siblings.shift() ?? sampleOf(type);
  const args = field.args
    .filter((arg) => isNonNullType(arg.type) || arg.name === path[0])
    .map((arg) => `${arg.name}: ${print(arg, { path, value, sample })}`);
  const call = `${field.name}(${args.join(', ')}) ${selection}`;
  const isRoot = ['Query', 'Mutation', 'Subscription'].includes(parent);
  const body = isRoot
    ? call
    : `node(id: ${JSON.stringify(knownId)}) { ... on ${parent} { ${call} } }`;
  return `${operation} ${head} { ${body} }`;
}

function selectionOf({ type }: Leaf['field']): string {
  const named = getNamedType(type);
  if (!isCompositeType(named)) return '';
  const more = isUnionType(named)
    ? '... on LipsyncError { code message } ... on InvalidInputError { issues { path message } }'
    : '';
  return `{ __typename ${more} }`;
}

type Printing = {
  path: readonly string[];
  value: string;
  sample: (type: GraphQLInputType) => string;
};

/** The literal of an argument or input field: the value on the path, samples in the required fields beside it. */
function print(place: GraphQLArgument | GraphQLInputField, printing: Printing): string {
  const [name, ...rest] = printing.path;
  const isOnPath = name === place.name;
  return printType(
    place.type,
    { ...printing, path: isOnPath ? rest : ['another place'] },
    isOnPath,
  );
}

function printType(type: GraphQLInputType, printing: Printing, isOnPath: boolean): string {
  const nullable = getNullableType(type);
  if (isListType(nullable)) return `[${printType(nullable.ofType, printing, isOnPath)}]`;
  if (isInputObjectType(nullable)) {
    const fields = Object.values(nullable.getFields());
    const chosen = nullable.isOneOf && !isOnPath ? fields.slice(0, 1) : fields;
    const printed = chosen
      .filter(
        (field) =>
          isNonNullType(field.type) ||
          (isOnPath && field.name === printing.path[0]) ||
          (nullable.isOneOf && !isOnPath),
      )
      .map((field) => `${field.name}: ${print(field, printing)}`);
    return `{ ${printed.join(', ')} }`;
  }
  if (isOnPath && printing.path.length === 0) return printing.value;
  return printing.sample(nullable);
}

/** The type of the first required field beside the leaf, in the same argument. */
function siblingTypeOf({ field, path }: Leaf): string | null {
  const arg = field.args.find(({ name }) => name === path[0]);
  const found: string[] = [];
  const sample = (type: GraphQLInputType) => {
    found.push(String(type));
    return '';
  };
  if (arg !== undefined) print(arg, { path, value: '', sample });
  return found[0] ?? null;
}

function sampleOf(type: GraphQLInputType | string): string {
  if (isEnumType(type)) return type.getValues()[0]?.name ?? '';
  const samples: Record<string, string> = {
    Int: '1',
    BigInt: '1',
    Boolean: 'true',
    DateTime: '"2030-01-01T00:00:00Z"',
    UploadKind: 'AUDIO',
  };
  return samples[String(type)] ?? '"audio/wav"';
}
