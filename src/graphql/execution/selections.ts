import {
  type FieldNode,
  type FragmentDefinitionNode,
  GraphQLIncludeDirective,
  type GraphQLObjectType,
  type GraphQLSchema,
  GraphQLSkipDirective,
  getDirectiveValues,
  isAbstractType,
  Kind,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';

type Document = {
  schema: GraphQLSchema;
  fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  /** The variables of `@skip` and `@include`. */
  conditions: Readonly<Record<string, unknown>>;
};

/**
 * The selected fields of an object of this type, by their response keys and in their order.
 *
 * @throws GraphQLError if a variable of `@skip` or `@include` is null
 */
export function collectFields(
  document: Document,
  type: GraphQLObjectType,
  selectionSets: readonly SelectionSetNode[],
): Map<string, FieldNode[]> {
  const collected = new Map<string, FieldNode[]>();
  const visited = new Set<string>();
  const collect = (selection: SelectionNode): void => {
    if (selection.kind === Kind.FRAGMENT_SPREAD && visited.has(selection.name.value)) return;
    if (!isIncluded(selection, document.conditions)) return;
    if (selection.kind === Kind.FIELD) {
      addField(collected, selection);
      return;
    }
    const fragment = fragmentOf(document, visited, selection);
    if (fragment === undefined || !appliesTo(document.schema, type, fragment)) return;
    for (const each of fragment.selectionSet.selections) collect(each);
  };
  for (const { selections } of selectionSets) for (const each of selections) collect(each);
  return collected;
}

function addField(collected: Map<string, FieldNode[]>, node: FieldNode): void {
  const key = node.alias?.value ?? node.name.value;
  const nodes = collected.get(key);
  if (nodes === undefined) collected.set(key, [node]);
  else nodes.push(node);
}

function fragmentOf(
  { fragments }: Document,
  visited: Set<string>,
  selection: Exclude<SelectionNode, FieldNode>,
) {
  if (selection.kind === Kind.INLINE_FRAGMENT) return selection;
  visited.add(selection.name.value);
  return fragments.get(selection.name.value);
}

function isIncluded(selection: SelectionNode, conditions: Document['conditions']): boolean {
  if (selection.directives === undefined || selection.directives.length === 0) return true;
  if (getDirectiveValues(GraphQLSkipDirective, selection, conditions)?.if === true) return false;
  return getDirectiveValues(GraphQLIncludeDirective, selection, conditions)?.if !== false;
}

type Fragment = Pick<FragmentDefinitionNode, 'typeCondition'> | { typeCondition?: undefined };

function appliesTo(schema: GraphQLSchema, type: GraphQLObjectType, fragment: Fragment): boolean {
  if (fragment.typeCondition === undefined) return true;
  const condition = schema.getType(fragment.typeCondition.name.value);
  return condition === type || (isAbstractType(condition) && schema.isSubType(condition, type));
}
