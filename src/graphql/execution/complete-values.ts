import { GraphQLError } from 'graphql';
import { isPromise } from './maybe-promise.ts';
import type { FieldPlan } from './plan.ts';
import type { Shape } from './shape.ts';

/** The fields of an object in the result. */
export type Data = Record<string, unknown>;

export function completeNull({ parentType, definition }: FieldPlan, { isNonNull }: Shape): null {
  if (!isNonNull) return null;
  throw new Error(
    `Cannot return null for non-nullable field ${parentType.name}.${definition.name}.`,
  );
}

export function completeLeaf(
  field: FieldPlan,
  shape: Shape & { kind: 'leaf' },
  value: unknown,
): unknown {
  if (value instanceof Error) throw value;
  if (value === null || value === undefined) return completeNull(field, shape);
  const serialized: unknown = shape.type.serialize(value);
  if (serialized !== null && serialized !== undefined) return serialized;
  throw new Error(`The type ${shape.type.name} serialized a value to ${serialized}.`);
}

export function itemsOf({ parentType, definition }: FieldPlan, value: unknown): Iterable<unknown> {
  if (typeof value === 'object' && value !== null && Symbol.iterator in value) {
    return value as Iterable<unknown>;
  }
  throw new GraphQLError(
    `Expected Iterable, but did not find one for field "${parentType.name}.${definition.name}".`,
  );
}

/** Puts the values in the place of their promises. */
export async function settle(data: Data): Promise<Data> {
  const pending = Object.keys(data).filter((key) => isPromise(data[key]));
  const values = await Promise.all(pending.map((key) => data[key]));
  pending.forEach((key, at) => {
    data[key] = values[at];
  });
  return data;
}
