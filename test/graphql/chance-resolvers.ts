import {
  type GraphQLLeafType,
  type GraphQLOutputType,
  type GraphQLSchema,
  isAbstractType,
  isEnumType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  type ResponsePath,
} from 'graphql';

/** A call of a resolver with all that it can see. */
export type Call = { path: string; args: string; info: string };

type Source = { path: string; seed: number };
type Context = { seed: number; calls: Call[] };

/**
 * Gives each field of the schema a resolver that returns, throws or rejects by chance, always the same at the same place
 * with the same seed. Every second field has a resolver with one parameter.
 *
 * @returns the kinds of outcomes that there have been
 */
export function resolveByChance(schema: GraphQLSchema): { outcomes: Set<string> } {
  const outcomes = new Set<string>();
  const types = Object.values(schema.getTypeMap()).filter((type) => !type.name.startsWith('__'));
  for (const type of types.filter(isObjectType)) {
    if (hash(type.name) % 3 === 0) {
      type.isTypeOf = (value, context) =>
        hash(`${value.path}?`, context.seed) % 2 === 0 ? true : Promise.resolve(true);
    }
    for (const field of Object.values(type.getFields())) {
      const isReader = field.args.length === 0 && hash(type.name + field.name) % 2 === 0;
      const settle = (at: Source) => valueAt({ schema, outcomes }, field.type, at);
      field.resolve = isReader
        ? (source: Source) => settle({ ...source, path: `${source.path}.${field.name}` })
        : (...[, args, context, info]) => {
            const { seed, calls } = context as Context;
            const path = textOf(info.path);
            const { fieldName, parentType, returnType, operation, variableValues, fragments } =
              info;
            const seen = [
              fieldName,
              parentType,
              returnType,
              operation.name?.value,
              variableValues,
              Object.keys(fragments),
              info.fieldNodes.length,
            ];
            calls.push({ path, args: JSON.stringify(args), info: JSON.stringify(seen) });
            return settle({ path, seed });
          };
    }
  }
  for (const type of types.filter(isAbstractType)) {
    type.resolveType = (value) => {
      const name = value.typename as string;
      return hash(value.path, value.seed) % 3 === 0 ? Promise.resolve(name) : name;
    };
  }
  return { outcomes };
}

type World = { schema: GraphQLSchema; outcomes: Set<string> };

function valueAt(world: World, type: GraphQLOutputType, at: Source): unknown {
  const roll = hash(at.path, at.seed) % 100;
  const note = (kind: string) => world.outcomes.add(kind);
  const value = () => plainValue(world, type, at);
  if (roll < 3) {
    note('throws');
    throw new Error(`thrown at ${at.path}`);
  }
  if (roll < 5) {
    note('throws what is not an error');
    throw { code: `thrown at ${at.path}` };
  }
  if (roll < 8) {
    note('rejects');
    return Promise.reject(new Error(`rejected at ${at.path}`));
  }
  if (roll < 11) {
    note('returns an error');
    return new Error(`returned at ${at.path}`);
  }
  if (roll < 15) {
    note('null');
    return roll < 13 ? null : undefined;
  }
  if (roll < 35) {
    note('promise');
    return Promise.resolve().then(value);
  }
  return value();
}

function plainValue(world: World, outer: GraphQLOutputType, at: Source): unknown {
  const type = isNonNullType(outer) ? outer.ofType : outer;
  const chance = hash(`${at.path}!`, at.seed);
  if (isListType(type)) {
    if (chance % 40 === 0) return { path: 'no list' };
    const items = Array.from({ length: chance % 5 }, (_, index) => {
      try {
        return valueAt(world, type.ofType, { ...at, path: `${at.path}[${index}]` });
      } catch (error) {
        return error;
      }
    });
    return chance % 7 === 0 ? new Set(items) : items;
  }
  if (isLeafType(type)) return leafValue(type, chance);
  const possible = isAbstractType(type) ? world.schema.getPossibleTypes(type) : [type];
  return { ...at, typename: possible[chance % possible.length]?.name };
}

function leafValue(type: GraphQLLeafType, chance: number): unknown {
  if (isEnumType(type)) {
    const values = type.getValues();
    return chance % 20 === 0 ? 'no value' : values[chance % values.length]?.value;
  }
  if (type.name === 'Boolean') return chance % 2 === 0;
  if (type.name === 'Int') return chance % 20 === 0 ? 1.5 : chance % 100;
  return type.name === 'Float' ? chance / 7 : `text ${chance}`;
}

function textOf(path: ResponsePath | undefined): string {
  if (path === undefined) return '';
  const { prev, key } = path;
  return typeof key === 'number' ? `${textOf(prev)}[${key}]` : `${textOf(prev)}.${key}`;
}

/** FNV-1a, and a mixing step: neighbouring texts must differ in every bit. */
function hash(text: string, seed = 0): number {
  let value = 2_166_136_261 ^ seed;
  for (let at = 0; at < text.length; at += 1) {
    value = Math.imul(value ^ text.charCodeAt(at), 16_777_619);
  }
  value = Math.imul(value ^ (value >>> 15), 2_246_822_519);
  return (value ^ (value >>> 13)) >>> 0;
}
