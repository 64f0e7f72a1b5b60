import {
  type ConstDirectiveNode,
  type DefinitionNode,
  type DirectiveDefinitionNode,
  type EnumValueDefinitionNode,
  type FieldDefinitionNode,
  type InputValueDefinitionNode,
  type InterfaceTypeDefinitionNode,
  Kind,
  type NamedTypeNode,
  type ObjectTypeDefinitionNode,
  parse,
  print,
  type TypeDefinitionNode,
  type TypeNode,
} from 'graphql';

const head = `# The schema

Written by \`npm run schema\` from [\`schema.graphql\`](../schema.graphql); a test holds it true. A client that asks this
server directly finds \`node(id: ID!)\` and \`nodes(ids: [ID!]!)\` as well, and
[federation.md](federation.md#name-conflicts) says why they are not published. What each failure means, and
what to do about it, is in [errors.md](errors.md).
`;

const roots = ['Query', 'Mutation', 'Subscription'];

const chapters: [title: string, kind: TypeDefinitionNode['kind']][] = [
  ['Objects', Kind.OBJECT_TYPE_DEFINITION],
  ['Interfaces', Kind.INTERFACE_TYPE_DEFINITION],
  ['Unions', Kind.UNION_TYPE_DEFINITION],
  ['Inputs', Kind.INPUT_OBJECT_TYPE_DEFINITION],
  ['Enums', Kind.ENUM_TYPE_DEFINITION],
  ['Scalars', Kind.SCALAR_TYPE_DEFINITION],
];

/** For who counts costs; here they would be longer than what they are at. Deprecations have words of their own. */
const untoldDirectives: ReadonlySet<string> = new Set(['listSize', 'deprecated']);

type Types = ReadonlyMap<string, TypeDefinitionNode>;
type WithFields = ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode;
type Described = {
  description?: { value: string } | undefined;
  directives?: readonly ConstDirectiveNode[] | undefined;
};

/** An SDL as a page of Markdown: all there is, what it is for, and where its types lead. */
export function printSchemaPage(sdl: string): string {
  const { definitions } = parse(sdl);
  const types: Types = new Map(
    definitions.flatMap((each) => (isType(each) ? [[each.name.value, each] as const] : [])),
  );
  const others = [...types.values()].filter(({ name }) => !roots.includes(name.value));
  const sections = [
    head,
    ...roots.flatMap((name) => {
      const type = types.get(name);
      return type === undefined ? [] : [toSection(types, type, '##')];
    }),
    ...chapters.flatMap(([title, kind]) =>
      toChapter(
        title,
        others.filter((type) => type.kind === kind).map((type) => toSection(types, type, '###')),
      ),
    ),
    ...toChapter(
      'Directives',
      definitions.flatMap((each) =>
        each.kind === Kind.DIRECTIVE_DEFINITION ? [toDirective(types, each)] : [],
      ),
    ),
  ];
  return sections.join('\n');
}

function isType(definition: DefinitionNode): definition is TypeDefinitionNode {
  return chapters.some(([, kind]) => definition.kind === kind);
}

function toChapter(title: string, sections: readonly string[]): string[] {
  return sections.length === 0 ? [] : [`## ${title}\n`, ...sections];
}

function toSection(types: Types, type: TypeDefinitionNode, level: string): string {
  const { value: name } = type.name;
  const members = membersOf(types, type);
  return `${level} ${name}\n\n${wordsOf(type)}\n${members === '' ? '' : `\n${members}\n`}`;
}

function toDirective(types: Types, definition: DirectiveDefinitionNode): string {
  const { name, arguments: args = [], locations } = definition;
  const words = `${wordsOf(definition)} On ${locations.map(({ value }) => value.toLowerCase().replaceAll('_', ' ')).join(', ')}.`;
  const inputs = args.map((arg) => toInput(types, arg)).join('\n');
  return `### @${name.value}\n\n${words}\n${inputs === '' ? '' : `\n${inputs}\n`}`;
}

function membersOf(types: Types, type: TypeDefinitionNode): string {
  switch (type.kind) {
    case Kind.OBJECT_TYPE_DEFINITION:
    case Kind.INTERFACE_TYPE_DEFINITION:
      return fieldsOf(types, type);
    case Kind.UNION_TYPE_DEFINITION:
      return `One of ${toLinks(types, type.types ?? [])}.`;
    case Kind.INPUT_OBJECT_TYPE_DEFINITION:
      return (type.fields ?? []).map((field) => toInput(types, field)).join('\n');
    case Kind.ENUM_TYPE_DEFINITION:
      return (type.values ?? []).map(toValue).join('\n');
    case Kind.SCALAR_TYPE_DEFINITION:
      return '';
  }
}

/** A failure has four fields like every other: those that a type has of an interface, word for word, are told there. */
function fieldsOf(types: Types, type: WithFields): string {
  const interfaces = type.interfaces ?? [];
  const inherited = new Set(
    interfaces.flatMap(({ name }) => {
      const from = types.get(name.value);
      return from?.kind === Kind.INTERFACE_TYPE_DEFINITION ? (from.fields ?? []).map(print) : [];
    }),
  );
  const own = (type.fields ?? []).filter((field) => !inherited.has(print(field)));
  const implementers = [...types.values()].flatMap((each) =>
    'interfaces' in each && each.interfaces?.some(({ name }) => name.value === type.name.value)
      ? [each]
      : [],
  );
  const lines = own.map((field) => toField(types, field)).join('\n');
  return [
    ...(interfaces.length > 0 ? [`Has the fields of ${toLinks(types, interfaces)}.`] : []),
    ...(implementers.length > 0 ? [`Of ${toLinks(types, implementers)}.`] : []),
    ...(lines === '' ? [] : [lines]),
  ].join('\n\n');
}

function toField(types: Types, field: FieldDefinitionNode): string {
  const { name, type, arguments: args = [] } = field;
  return [
    `- **\`${name.value}\`**: ${toLink(types, type)}. ${wordsOf(field)}`,
    ...args.map((arg) => `  ${toInput(types, arg)}`),
  ].join('\n');
}

function toInput(types: Types, input: InputValueDefinitionNode): string {
  const { name, type, defaultValue } = input;
  const standard = defaultValue === undefined ? '' : ` = \`${print(defaultValue)}\``;
  return `- \`${name.value}\`: ${toLink(types, type)}${standard}. ${wordsOf(input)}`;
}

function toValue(value: EnumValueDefinitionNode): string {
  return `- \`${value.name.value}\`: ${wordsOf(value)}`;
}

/** What is said of it, what it is marked with, and whether it shall go. */
function wordsOf({ description, directives = [] }: Described): string {
  const marks = directives
    .filter(({ name }) => !untoldDirectives.has(name.value))
    .map((directive) => `\`${print(directive)}\``);
  const reason = directives
    .find(({ name }) => name.value === 'deprecated')
    ?.arguments?.find(({ name }) => name.value === 'reason')?.value;
  return [
    description?.value.replace(/\s*\n\s*/g, ' ') ?? '',
    ...(reason?.kind === Kind.STRING ? [`**Deprecated.** ${reason.value}`] : []),
    ...marks,
  ].join(' ');
}

function toLinks(types: Types, named: readonly (NamedTypeNode | TypeDefinitionNode)[]): string {
  return named.map(({ name }) => linkOf(types, name.value, name.value)).join(', ');
}

function toLink(types: Types, type: TypeNode): string {
  return linkOf(types, nameOf(type), print(type));
}

function nameOf(type: TypeNode): string {
  return type.kind === Kind.NAMED_TYPE ? type.name.value : nameOf(type.type);
}

function linkOf(types: Types, name: string, text: string): string {
  return types.has(name) ? `[\`${text}\`](#${name.toLowerCase()})` : `\`${text}\``;
}
