import {
  getNamedType,
  getNullableType,
  isCompositeType,
  isInterfaceType,
  isIntrospectionType,
  isListType,
  isObjectType,
} from 'graphql';
import { describe, expect, test } from 'vitest';
import { priceOf } from '../../src/graphql/prices.ts';
import { schema as ownSchema } from '../../src/schema.ts';

describe('works', () => {
  test('every list of objects in the schema has @listSize or a list argument', () => {
    const bare = Object.values(ownSchema.getTypeMap())
      .filter((type) => isObjectType(type) && !isIntrospectionType(type))
      .flatMap((type) =>
        isObjectType(type) ? Object.values(type.getFields()).map((field) => ({ type, field })) : [],
      )
      .filter(
        ({ field }) =>
          isListType(getNullableType(field.type)) && isCompositeType(getNamedType(field.type)),
      )
      .filter(({ type, field }) => !isSized(type.name, field.name))
      .map(({ type, field }) => `${type.name}.${field.name}`);
    expect(bare).toEqual([]);
  });
});

/** By its own directive, by a list argument, or by the parent field of its object. */
function isSized(typeName: string, fieldName: string): boolean {
  const types = Object.values(ownSchema.getTypeMap()).filter((type) => isObjectType(type));
  const own = types.find(({ name }) => name === typeName)?.getFields()[fieldName];
  if (own === undefined) return false;
  if (priceOf(own).listSize !== undefined) return true;
  if (own.args.some(({ type }) => isListType(getNullableType(type)))) return true;
  return types
    .flatMap((type) => Object.values(type.getFields()))
    .filter(({ type }) => getNamedType(type).name === typeName)
    .every((field) => priceOf(field).listSize?.sizedFields?.includes(fieldName));
}

describe('keeps out', () => {
  test('fields that return an interface with object fields, whose depth would not be counted', () => {
    const leading = Object.values(ownSchema.getTypeMap())
      .flatMap((type) => (isObjectType(type) ? Object.values(type.getFields()) : []))
      .map(({ type }) => getNamedType(type))
      .filter((type) => isInterfaceType(type))
      .flatMap((type) => Object.values(type.getFields()))
      .filter(({ type }) => isCompositeType(getNamedType(type)));
    expect(leading).toEqual([]);
  });
});
