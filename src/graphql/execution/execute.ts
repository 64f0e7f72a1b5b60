import {
  defaultTypeResolver,
  type ExecutionResult,
  type GraphQLAbstractType,
  GraphQLError,
  type GraphQLObjectType,
  type GraphQLResolveInfo,
  locatedError,
  OperationTypeNode,
  type ResponsePath,
  responsePathAsArray,
} from 'graphql';
import { CollectedErrors } from './collected-errors.ts';
import { completeLeaf, completeNull, type Data, itemsOf, settle } from './complete-values.ts';
import { isPromise, type MaybePromise } from './maybe-promise.ts';
import type { FieldPlan, ObjectPlan, OperationPlan, Variables } from './plan.ts';
import { findRuntimeType } from './runtime-type.ts';
import type { Shape } from './shape.ts';

/** What differs between two executions of a plan. */
export type ExecutionInput = {
  rootValue: unknown;
  contextValue: unknown;
  /** Coerced. */
  variables: Variables;
};

type Path = ResponsePath | undefined;

/** A value in the result. `info` is undefined for fields that need none. */
type Position = { field: FieldPlan; path: Path; info: GraphQLResolveInfo | undefined };

/** `JSON.stringify` takes twice as long for objects without a prototype. */
function createData({ hasProtoKey }: ObjectPlan): Data {
  return hasProtoKey ? Object.create(null) : {};
}

/**
 * Executes an operation like `execute` of graphql-js, with the same result to the byte, the same order of errors and the
 * same arguments of resolvers. It is that function ported to plans: what does not depend on the data is read from the
 * plan, and a field that only reads its object needs no path, arguments and `info`.
 */
export function executePlan(
  plan: OperationPlan,
  input: ExecutionInput,
): MaybePromise<ExecutionResult> {
  return new Execution(plan, input).start();
}

class Execution {
  readonly #plan: OperationPlan;
  readonly #input: ExecutionInput;
  readonly #errors = new CollectedErrors();

  constructor(plan: OperationPlan, input: ExecutionInput) {
    this.#plan = plan;
    this.#input = input;
  }

  start(): MaybePromise<ExecutionResult> {
    const succeed = (data: Data | null): ExecutionResult => {
      const { errors } = this.#errors;
      return errors.length === 0 ? { data } : { errors, data };
    };
    const fail = (error: unknown) => {
      this.#errors.add(error as GraphQLError, undefined);
      return succeed(null);
    };
    try {
      const data = this.#executeRoot();
      return isPromise(data) ? data.then(succeed, fail) : succeed(data);
    } catch (error) {
      return fail(error);
    }
  }

  #executeRoot(): MaybePromise<Data> {
    const { root, operation } = this.#plan;
    const { rootValue } = this.#input;
    return operation.operation === OperationTypeNode.MUTATION
      ? this.#executeSerially(root, rootValue)
      : this.#executeFields(root, rootValue, undefined);
  }

  #executeFields(plan: ObjectPlan, source: unknown, path: Path): MaybePromise<Data> {
    const data = createData(plan);
    let hasPromise = false;
    try {
      for (const field of plan.fields) {
        const value = this.#executeField(field, source, path);
        data[field.key] = value;
        if (isPromise(value)) hasPromise = true;
      }
    } catch (error) {
      if (!hasPromise) throw error;
      // The promises of the fields before it can be rejected too.
      return settle(data).finally(() => {
        throw error;
      });
    }
    return hasPromise ? settle(data) : data;
  }

  /** Each field of a mutation begins when the one before it has ended. */
  #executeSerially(plan: ObjectPlan, source: unknown): MaybePromise<Data> {
    const data = createData(plan);
    const executeNext = (field: FieldPlan): MaybePromise<void> => {
      const value = this.#executeField(field, source, undefined);
      const add = (settled: unknown) => {
        data[field.key] = settled;
      };
      return isPromise(value) ? value.then(add) : add(value);
    };
    const last = plan.fields.reduce<MaybePromise<void>>(
      (before, field) =>
        isPromise(before) ? before.then(() => executeNext(field)) : executeNext(field),
      undefined,
    );
    return isPromise(last) ? last.then(() => data) : data;
  }

  #executeField(field: FieldPlan, source: unknown, parent: Path): unknown {
    if (field.typename !== null) return field.typename;
    const { read, shape } = field;
    let at: Position | undefined;
    try {
      let value = read === null ? undefined : read(source);
      if (read === null || typeof value === 'function') {
        at = this.#positionOf(field, parent, true);
        const { info } = at as { info: GraphQLResolveInfo };
        const args = field.argumentsOf(this.#input.variables);
        value = field.resolve(source, args, this.#input.contextValue, info);
      } else {
        if (shape.kind === 'leaf' && !isPromise(value)) return completeLeaf(field, shape, value);
        at = this.#positionOf(field, parent, field.needsInfo);
      }
      return this.#complete(at, shape, value);
    } catch (error) {
      return this.#handleError(at ?? this.#positionOf(field, parent, false), shape, error);
    }
  }

  #positionOf(field: FieldPlan, prev: Path, needsInfo: boolean): Position {
    const path = { prev, key: field.key, typename: field.parentType.name };
    return { field, path, info: needsInfo ? this.#infoOf(field, path) : undefined };
  }

  #infoOf({ definition, nodes, parentType }: FieldPlan, path: ResponsePath): GraphQLResolveInfo {
    const { schema, fragmentsByName, operation } = this.#plan;
    // A cast, because packages of gateways add fields of their own executors to this type, which is global.
    return {
      fieldName: definition.name,
      fieldNodes: nodes,
      returnType: definition.type,
      parentType,
      path,
      schema,
      fragments: fragmentsByName,
      rootValue: this.#input.rootValue,
      operation,
      variableValues: this.#input.variables as Data,
    } as GraphQLResolveInfo;
  }

  /** The error of a position that can be null is collected; any other passes on to the object around it. */
  #handleError({ field, path }: Position, { isNonNull }: Shape, thrown: unknown): null {
    const error = locatedError(thrown, field.nodes, responsePathAsArray(path));
    if (isNonNull) throw error;
    this.#errors.add(error, path);
    return null;
  }

  /**
   * Completes the value of a field or of an item, which can be a promise. An error of a value that is not a promise is
   * thrown, not returned as a rejected promise.
   */
  #complete(at: Position, shape: Shape, value: unknown): unknown {
    const completed = isPromise(value)
      ? value.then((settled) => this.#completeValue(at, shape, settled))
      : this.#completeValue(at, shape, value);
    return isPromise(completed)
      ? completed.then(undefined, (error) => this.#handleError(at, shape, error))
      : completed;
  }

  #completeValue(at: Position, shape: Shape, value: unknown): unknown {
    if (shape.kind === 'leaf') return completeLeaf(at.field, shape, value);
    if (value instanceof Error) throw value;
    if (value === null || value === undefined) return completeNull(at.field, shape);
    if (shape.kind === 'list') return this.#completeList(at, shape.item, value);
    if (shape.kind === 'object') return this.#completeObject(at, shape.type, value);
    return this.#completeAbstract(at, shape.type, value);
  }

  #completeAbstract(at: Position, type: GraphQLAbstractType, value: unknown): unknown {
    const info = at.info as GraphQLResolveInfo;
    const resolveType = type.resolveType ?? defaultTypeResolver;
    const resolved = resolveType(value, this.#input.contextValue, info, type);
    const complete = (name: string | undefined) =>
      this.#completeObject(at, findRuntimeType(type, name, info), value);
    return isPromise(resolved) ? resolved.then(complete) : complete(resolved);
  }

  #completeList({ field, path, info }: Position, item: Shape, value: unknown) {
    const completed: unknown[] = [];
    let hasPromise = false;
    try {
      for (const each of itemsOf(field, value)) {
        const itemPath = { prev: path, key: completed.length, typename: undefined };
        const completedItem = this.#completeItem({ field, path: itemPath, info }, item, each);
        if (isPromise(completedItem)) hasPromise = true;
        completed.push(completedItem);
      }
    } catch (error) {
      // Without a handler the rejection of another item would end the process.
      void Promise.allSettled(Array.isArray(value) ? [...completed, ...value] : completed);
      throw error;
    }
    return hasPromise ? Promise.all(completed) : completed;
  }

  #completeItem(at: Position, shape: Shape, value: unknown): unknown {
    try {
      return this.#complete(at, shape, value);
    } catch (error) {
      return this.#handleError(at, shape, error);
    }
  }

  #completeObject(
    { field, path, info }: Position,
    type: GraphQLObjectType,
    value: unknown,
  ): MaybePromise<Data> {
    const plan = field.objectOf(type);
    if (!type.isTypeOf) return this.#executeFields(plan, value, path);
    const checked = (isOfType: boolean) => {
      if (isOfType) return this.#executeFields(plan, value, path);
      throw new GraphQLError(`A value is not of the type "${type.name}".`, { nodes: field.nodes });
    };
    const { contextValue } = this.#input;
    const isOfType = type.isTypeOf(value, contextValue, info as GraphQLResolveInfo);
    return isPromise(isOfType) ? isOfType.then(checked) : checked(isOfType);
  }
}
