import {
  defaultFieldResolver,
  type FieldNode,
  type FragmentDefinitionNode,
  GraphQLError,
  type GraphQLField,
  type GraphQLFieldResolver,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isObjectType,
  type OperationDefinitionNode,
  SchemaMetaFieldDef,
  type SelectionSetNode,
  TypeMetaFieldDef,
  TypeNameMetaFieldDef,
} from 'graphql';
import { type Arguments, createArguments } from './arguments.ts';
import { collectFields } from './selections.ts';
import { type FieldTraits, type Shape, traitsOf } from './shape.ts';

export type Variables = Readonly<Record<string, unknown>>;

/** A validated operation of a document. */
export type Operation = {
  schema: GraphQLSchema;
  operation: OperationDefinitionNode;
  fragments: ReadonlyMap<string, FragmentDefinitionNode>;
};

type Field = GraphQLField<unknown, unknown>;

/**
 * The part of an operation that can be computed before it is executed. It is the same for every execution in which the
 * variables of `@skip` and `@include` have these values.
 */
export class OperationPlan implements Operation {
  readonly schema: GraphQLSchema;
  readonly operation: OperationDefinitionNode;
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  /** The fragments as resolvers get them in `info`. */
  readonly fragmentsByName: Record<string, FragmentDefinitionNode>;
  readonly conditions: Variables;
  #root: ObjectPlan | undefined;

  constructor({ schema, operation, fragments }: Operation, conditions: Variables) {
    this.schema = schema;
    this.operation = operation;
    this.fragments = fragments;
    this.fragmentsByName = Object.assign(Object.create(null), Object.fromEntries(fragments));
    this.conditions = conditions;
  }

  /** @throws GraphQLError if a variable of `@skip` or `@include` is null, like every function that plans an object */
  get root(): ObjectPlan {
    this.#root ??= new ObjectPlan(this, this.#rootType(), [this.operation.selectionSet]);
    return this.#root;
  }

  #rootType(): GraphQLObjectType {
    const { operation } = this.operation;
    const type = this.schema.getRootType(operation);
    if (type != null) return type;
    const message = `Schema is not configured to execute ${operation} operation.`;
    throw new GraphQLError(message, { nodes: this.operation });
  }
}

/** The fields of an object of this type, in the order of the response. */
export class ObjectPlan {
  readonly type: GraphQLObjectType;
  readonly fields: readonly FieldPlan[];
  /** Whether a response key is `__proto__`, which sets the prototype of an ordinary object. */
  readonly hasProtoKey: boolean;

  constructor(
    operation: OperationPlan,
    type: GraphQLObjectType,
    selectionSets: readonly SelectionSetNode[],
  ) {
    this.type = type;
    const fields: FieldPlan[] = [];
    for (const [key, nodes] of collectFields(operation, type, selectionSets)) {
      const definition = definitionOf(operation, type, nodes[0]?.name.value ?? '');
      if (definition === undefined) continue;
      fields.push(new FieldPlan(operation, type, { key, nodes, definition }));
    }
    this.fields = fields;
    this.hasProtoKey = fields.some(({ key }) => key === '__proto__');
  }
}

/** A field of an object type: once for all of its selections under one response key. */
export class FieldPlan {
  readonly operation: OperationPlan;
  readonly parentType: GraphQLObjectType;
  readonly key: string;
  readonly nodes: readonly FieldNode[];
  readonly definition: Field;
  /** The value of `__typename`, which needs no resolver; null for other fields. */
  readonly typename: string | null;
  readonly shape: Shape;
  readonly needsInfo: boolean;
  readonly read: FieldTraits['read'];
  readonly resolve: GraphQLFieldResolver<unknown, unknown>;
  /** @throws GraphQLError if a required argument has a variable without a value */
  readonly argumentsOf: (variables: Variables) => Arguments;
  #objects: Map<GraphQLObjectType, ObjectPlan> | undefined;

  constructor(
    operation: OperationPlan,
    parentType: GraphQLObjectType,
    selected: { key: string; nodes: readonly FieldNode[]; definition: Field },
  ) {
    const { key, nodes, definition } = selected;
    const { shape, needsInfo, read } = traitsOf(definition);
    this.operation = operation;
    this.parentType = parentType;
    this.key = key;
    this.nodes = nodes;
    this.definition = definition;
    this.typename = definition === TypeNameMetaFieldDef ? parentType.name : null;
    this.shape = shape;
    this.needsInfo = needsInfo;
    this.read = read;
    this.resolve = definition.resolve ?? defaultFieldResolver;
    this.argumentsOf = createArguments(definition, nodes[0] as FieldNode);
  }

  /** The plan of an object of this type that the field returns. */
  objectOf(type: GraphQLObjectType): ObjectPlan {
    const known = this.#objects?.get(type);
    if (known !== undefined) return known;
    const selectionSets = this.nodes.flatMap(({ selectionSet }) => selectionSet ?? []);
    const plan = new ObjectPlan(this.operation, type, selectionSets);
    this.#objects ??= new Map();
    this.#objects.set(type, plan);
    return plan;
  }

  /** The types of the objects that the field can return; none if it returns scalars or enum values. */
  get possibleTypes(): readonly GraphQLObjectType[] {
    const type = getNamedType(this.definition.type);
    if (isObjectType(type)) return [type];
    return isAbstractType(type) ? this.operation.schema.getPossibleTypes(type) : [];
  }
}

function definitionOf(
  { schema }: OperationPlan,
  type: GraphQLObjectType,
  name: string,
): Field | undefined {
  if (name === TypeNameMetaFieldDef.name) return TypeNameMetaFieldDef as Field;
  if (type === schema.getQueryType()) {
    if (name === SchemaMetaFieldDef.name) return SchemaMetaFieldDef as Field;
    if (name === TypeMetaFieldDef.name) return TypeMetaFieldDef as Field;
  }
  return type.getFields()[name];
}
