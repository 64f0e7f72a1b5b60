import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import {
  buildSchema,
  type ExecutionResult,
  execute,
  type FragmentDefinitionNode,
  type GraphQLInputType,
  type GraphQLSchema,
  getOperationAST,
  getVariableValues,
  isEnumType,
  isInputObjectType,
  isInputType,
  isListType,
  isNonNullType,
  Kind,
  type OperationDefinitionNode,
  parse,
  printSchema,
  typeFromAST,
} from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { executePlan } from '../../src/graphql/execution/execute.ts';
import { OperationPlan } from '../../src/graphql/execution/plan.ts';
import { schema as ourSchema } from '../../src/schema.ts';
import { makeOperation } from '../fuzz/documents.ts';
import { drawing } from '../fuzz/draw.ts';
import { isValid, readDocuments } from '../support/documents.ts';
import { type Call, resolveByChance } from './chance-resolvers.ts';

/** Our types, with resolvers that return, throw and reject by chance. */
const schema = buildSchema(printSchema(ourSchema), { assumeValid: true });
const chance = resolveByChance(schema);

type Outcome = { result: string; calls: Call[] };

type Inputs = Record<string, unknown>;

/** The operation of the document with its coerced variables; null if a value is invalid. */
function selectOperation(source: string, inputs: Inputs) {
  const document = parse(source);
  const operations = document.definitions.filter(
    (each): each is OperationDefinitionNode => each.kind === Kind.OPERATION_DEFINITION,
  );
  const operationName = operations.length > 1 ? operations[0]?.name?.value : undefined;
  const operation = getOperationAST(document, operationName);
  if (operation == null) return null;
  const definitions = operation.variableDefinitions ?? [];
  const { coerced: variables } = getVariableValues(schema, definitions, inputs);
  return variables === undefined ? null : { document, operation, operationName, variables };
}

type Selected = NonNullable<ReturnType<typeof selectOperation>>;
type Run = { rootValue: unknown; contextValue: unknown };

async function observe(seed: number, start: (run: Run) => unknown): Promise<Outcome> {
  const contextValue = { seed, calls: [] as Call[] };
  const result = (await start({ rootValue: { path: '', seed }, contextValue })) as ExecutionResult;
  // The fields beside one that has set the data to null are still executed.
  await setImmediate();
  return { result: JSON.stringify(result), calls: contextValue.calls };
}

function executeOurs({ document, operation, variables }: Selected, seed: number) {
  const fragments = document.definitions
    .filter((each): each is FragmentDefinitionNode => each.kind === Kind.FRAGMENT_DEFINITION)
    .map((each) => [each.name.value, each] as const);
  const plan = new OperationPlan({ schema, operation, fragments: new Map(fragments) }, variables);
  return observe(seed, (run) => executePlan(plan, { ...run, variables }));
}

/** @returns false if the variables are invalid */
async function compare(source: string, seed: number, given?: Inputs): Promise<boolean> {
  const inputs = given ?? inputsOf(schema, source, seed);
  const selected = selectOperation(source, inputs);
  if (selected === null) return false;
  const { document, operationName = null } = selected;
  const theirs = await observe(seed, (run) =>
    execute({ schema, document, operationName, variableValues: inputs, ...run }),
  );
  expect(await executeOurs(selected, seed), source).toEqual(theirs);
  return true;
}

/** Collects the rejections without a handler, which end a process, until it is called. */
function collectUnhandled(): () => Promise<unknown[]> {
  const listeners = process.listeners('unhandledRejection');
  const reasons: unknown[] = [];
  const collect = (reason: unknown) => void reasons.push(reason);
  process.removeAllListeners('unhandledRejection').on('unhandledRejection', collect);
  return async () => {
    // They are reported after the microtasks.
    await setImmediate();
    process.off('unhandledRejection', collect);
    for (const listener of listeners) process.on('unhandledRejection', listener);
    return reasons;
  };
}

/** A value for each variable of the operations. */
function inputsOf(types: GraphQLSchema, source: string, seed: number): Record<string, unknown> {
  const definitions = parse(source).definitions.flatMap((each) =>
    each.kind === Kind.OPERATION_DEFINITION ? (each.variableDefinitions ?? []) : [],
  );
  return Object.fromEntries(
    definitions.map(({ variable, type: node }, at) => {
      const type = typeFromAST(types, node);
      if (!isInputType(type)) throw new Error('A variable has no input type.');
      return [variable.name.value, inputOf(type, seed + at)];
    }),
  );
}

function inputOf(type: GraphQLInputType, seed: number): unknown {
  if (isNonNullType(type)) return inputOf(type.ofType, seed);
  if (isListType(type)) return [inputOf(type.ofType, seed), inputOf(type.ofType, seed + 1)];
  if (isEnumType(type)) return type.getValues()[seed % type.getValues().length]?.name;
  if (isInputObjectType(type)) {
    const fields = Object.values(type.getFields());
    const given = type.isOneOf
      ? [fields[seed % fields.length]].filter((field) => field !== undefined)
      : fields.filter((field) => isNonNullType(field.type));
    return Object.fromEntries(
      given.map((field) => [field.name, inputOf(field.type as GraphQLInputType, seed)]),
    );
  }
  if (type.name === 'Boolean') return seed % 2 === 0;
  return ['Int', 'Float', 'SafeInt'].includes(type.name) ? 1 + (seed % 3) : `text ${seed}`;
}

// graphql-js leaves rejections without a handler if an item of a list throws beside a rejected one.
let stopCollecting: () => Promise<unknown[]>;
beforeAll(() => {
  stopCollecting = collectUnhandled();
});
afterAll(() => stopCollecting());

describe('works', () => {
  test('every document of the pages, examples, client and tests has the same result as in graphql-js', async () => {
    const documents = await readDocuments(schema);
    expect(documents.length).toBeGreaterThan(150);
    for (const source of documents) {
      for (let seed = 0; seed < 8; seed += 1) await compare(source, seed);
    }
  });

  test('so has every random operation', { timeout: 120_000 }, async () => {
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(
        drawing((draw) => ({ ...makeOperation(draw, schema), seed: draw.nat(1_000_000) })),
        async ({ query, variables, seed }) => {
          if (!isValid(schema, query)) return;
          if (await compare(query, seed, variables)) compared += 1;
        },
      ),
      { numRuns: 400 },
    );
    expect(compared).toBeGreaterThan(100);
  });

  test.each([
    ['a response key __proto__', '{ __proto__: __typename viewer { __proto__: name } }'],
    [
      'merged selections',
      '{ viewer { name } ...F viewer { scopes } } fragment F on Query { viewer { isAuthenticated } }',
    ],
    [
      'several fields of a mutation',
      'mutation { a: deleteVideo(input: { id: "1" }) { __typename } b: deleteVideo(input: { id: "2" }) { __typename } c: deleteVideo(input: { id: "3" }) { __typename } }',
    ],
    [
      'introspection',
      '{ __schema { types { name kind fields { name type { name ofType { name } } } } } __type(name: "Video") { name } }',
    ],
    [
      'conditions',
      'query ($a: Boolean!, $b: Boolean = true) { viewer @skip(if: $a) { name @include(if: $b) } ... @include(if: $a) { voices { __typename } } }',
    ],
  ])('%s', async (_, source) => {
    for (let seed = 0; seed < 40; seed += 1) await compare(source, seed);
    expect(chance.outcomes.size).toBeGreaterThan(5);
  });
});

describe('keeps out', () => {
  test('rejections without a handler', async () => {
    await setImmediate();
    const stop = collectUnhandled();
    for (const source of await readDocuments(schema)) {
      for (let seed = 0; seed < 8; seed += 1) {
        const selected = selectOperation(source, inputsOf(schema, source, seed));
        if (selected !== null) await executeOurs(selected, seed);
      }
    }
    expect(await stop()).toEqual([]);
  });
});
