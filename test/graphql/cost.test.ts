import {
  buildSchema,
  type FragmentDefinitionNode,
  getOperationAST,
  getVariableValues,
  graphqlSync,
  Kind,
  parse,
  validate,
} from 'graphql';
import { describe, expect, test } from 'vitest';
import { estimateCost, measureCost, type PricedOperation } from '../../src/graphql/cost.ts';

const schema = buildSchema(`
  directive @cost(weight: Int!) on ARGUMENT_DEFINITION | ENUM | FIELD_DEFINITION | INPUT_FIELD_DEFINITION | OBJECT | SCALAR
  directive @listSize(
    assumedSize: Int
    slicingArguments: [String!]
    sizedFields: [String!]
    requireOneSlicingArgument: Boolean = true
  ) on FIELD_DEFINITION

  type Query {
    name: String
    dearName: String @cost(weight: 3)
    book: Book
    poem: Poem
    any: Work
    found: Found
    works: [Work!]! @listSize(assumedSize: 4)
    books(first: Int, last: Int = 2): [Book!]! @listSize(slicingArguments: ["first", "last"])
    assumed(first: Int): [Book!]! @listSize(assumedSize: 7, slicingArguments: ["first"], requireOneSlicingArgument: false)
    filtered(by: Filter): [Book!]! @listSize(slicingArguments: ["by.most"])
    shelf(first: Int): Shelf @listSize(assumedSize: 5, slicingArguments: ["first"], sizedFields: ["books", "titles"])
    byIds(ids: [ID!]!): [Book]! @cost(weight: 10)
    unsized: [Book!]!
    dearArgument(of: Int @cost(weight: 6), by: [Filter!]): String
    grid: [[Book!]!]! @listSize(assumedSize: 9)
    stamp: Stamp
  }
  scalar Stamp @cost(weight: 2)
  input Filter { most: Int, word: String @cost(weight: 4), within: Filter }
  interface Work { title: String, author: Author }
  type Book implements Work { title: String, author: Author, next: Book }
  type Poem implements Work @cost(weight: 5) { title: String, author: Author }
  union Found = Book | Poem
  type Author { name: String, books(first: Int): [Book!]! @listSize(slicingArguments: ["first"]) }
  type Shelf { books: [Book!]!, titles: [String!]!, label: Label }
  type Label { text: String }
  type Mutation {
    add(title: String): Book @cost(weight: 10)
    addAll(titles: [String!]!): Added @cost(weight: 10)
  }
  type Added { books: [Book!]! @listSize(assumedSize: 20), label: Label }
  type Subscription { added: Book, anyAdded(titles: [String!]!): Book @cost(weight: 10) }
`);

/** What the directives can't say, as the domains' fields say it. */
Object.assign(schema.getMutationType()?.getFields().addAll?.extensions ?? {}, {
  listSize: { slicingArguments: ['titles'], sizedFields: ['books'] },
});

function price(source: string, inputs: Record<string, unknown> = {}): PricedOperation {
  const document = parse(source);
  expect(validate(schema, document)).toEqual([]);
  const operation = getOperationAST(document);
  if (operation == null) throw new Error('There is no operation.');
  const { coerced, errors } = getVariableValues(
    schema,
    operation.variableDefinitions ?? [],
    inputs,
  );
  expect(errors).toBeUndefined();
  const fragments = document.definitions
    .filter((each): each is FragmentDefinitionNode => each.kind === Kind.FRAGMENT_DEFINITION)
    .map((each) => [each.name.value, each] as const);
  return { schema, operation, fragments: new Map(fragments), variables: coerced ?? {} };
}

type Row = [what: string, cost: number, source: string, variables?: Record<string, unknown>];

describe('works', () => {
  const estimates: Row[] = [
    ['what has no fields is free', 0, '{ name __typename }'],
    ['what has fields costs 1', 1, '{ book { title } }'],
    ['and what is in it too', 3, '{ book { author { name } next { title } } }'],
    ['a weight at a field counts instead', 3, '{ dearName }'],
    ['a weight at a type counts wherever the type is', 5, '{ poem { title } }'],
    ['a weight at a scalar', 2, '{ stamp }'],
    ['a mutation costs what is written at it', 10, 'mutation { add { title } }'],
    ['a subscription costs as one event', 1, 'subscription { added { title } }'],
    ['each alias counts', 2, '{ a: book { title } b: book { title } }'],
    [
      'a field that is named twice is executed once',
      3,
      '{ book { author { name } } book { title next { title } } }',
    ],
    [
      'also from fragments',
      1,
      '{ ...F ... { book { title } } } fragment F on Query { book { title } }',
    ],
    ['a list counts for the size that is asked for', 3, '{ books(first: 3) { title } }'],
    ['the default of a slicing argument counts', 2, '{ books { title } }'],
    ['of two slicing arguments the larger', 6, '{ books(first: 6, last: 5) { title } }'],
    ['a size may be within an input', 8, '{ filtered(by: { most: 8 }) { title } }'],
    ['a size may be a variable', 9, 'query ($n: Int) { books(first: $n) { title } }', { n: 9 }],
    [
      'a variable that is not given is no size',
      7,
      'query ($n: Int) { assumed(first: $n) { title } }',
    ],
    ['the assumed size counts where none is asked for', 7, '{ assumed { title } }'],
    ['an argument wins over the assumed size', 1, '{ assumed(first: 1) { title } }'],
    ['nothing is asked for', 0, '{ books(first: 0, last: 0) { author { name } } }'],
    ['a negative size is none', 0, '{ books(first: -5, last: -9) { title } }'],
    [
      'sizes multiply',
      3 * (1 + 1 + 4 * 2),
      '{ books(first: 3) { author { books(first: 4) { author { name } } } } }',
    ],
    [
      'sized fields take the size of their parent',
      1 + 3,
      '{ shelf(first: 3) { books { title } titles } }',
    ],
    ['and the others do not', 1 + 5 + 1, '{ shelf { books { title } label { text } } }'],
    ['a list by a list is as long', 30, '{ byIds(ids: ["a", "b", "c"]) { title } }'],
    [
      'also in a variable',
      40,
      'query ($i: [ID!]!) { byIds(ids: $i) { title } }',
      { i: ['a', 'b', 'c', 'd'] },
    ],
    [
      'a list that leads to one thing is the work of the field each time',
      3 * 10 + 3 * (1 + 1) + 1,
      'mutation { addAll(titles: ["a", "b", "c"]) { books { author { name } } label { text } } }',
    ],
    [
      'also where a subscription begins, which costs as one event',
      2 * 10 + 1,
      'subscription ($t: [String!]!) { anyAdded(titles: $t) { author { name } } }',
      { t: ['a', 'b'] },
    ],
    ['and an empty one once', 10, 'mutation { addAll(titles: []) { books { title } } }'],
    ['a list of no known size counts once', 1, '{ unsized { title } }'],
    ['a list of lists has one size', 9, '{ grid { title } }'],
    ['of an abstract type the dearest object', 5, '{ any { title } }'],
    [
      'with what each alone would select',
      5 + 1,
      '{ found { ... on Book { next { title } author { name } } ... on Poem { author { name } } } }',
    ],
    [
      'through the interface and beside it',
      4 * (5 + 1),
      '{ works { author { name } ... on Book { title } } }',
    ],
    ['an argument may have a weight', 6, '{ dearArgument(of: 1) }'],
    ['which counts only where it is given', 0, '{ dearArgument }'],
    [
      'so may the fields of inputs, each time',
      4 + 4 + 4,
      '{ dearArgument(by: [{ word: "a" }, { within: { word: "b" }, word: "c" }]) }',
    ],
    [
      'what is skipped is free',
      0,
      '{ book @skip(if: true) { title } poem @include(if: false) { title } }',
    ],
    [
      'what is skipped by a variable too',
      1,
      'query ($b: Boolean!) { book { title } poem @include(if: $b) { title } }',
      { b: false },
    ],
    [
      'and what is not skipped counts',
      6,
      'query ($b: Boolean!) { book { title } ... @include(if: $b) { poem { title } } }',
      { b: true },
    ],
    [
      'the schema has its price, by any name',
      500 + 10,
      '{ s: __schema { types { name } } __type(name: "Book") { fields { name } } }',
    ],
  ];
  test.each(estimates)('%s', (...[, cost, source, variables]) => {
    expect(estimateCost(price(source, variables))).toBe(cost);
  });

  const measures: [...Row, data: unknown][] = [
    [
      'a list comes to its items',
      2,
      '{ books(first: 50) { title } }',
      {},
      { books: [{ title: 'a' }, { title: 'b' }] },
    ],
    ['an empty list to nothing', 0, '{ books(first: 50) { title } }', {}, { books: [] }],
    [
      'what is null still had to be looked for',
      1,
      '{ book { author { name } } }',
      {},
      { book: null },
    ],
    [
      'null in a list too',
      10 + 11,
      '{ byIds(ids: ["a", "b"]) { author { name } } }',
      {},
      { byIds: [null, { author: { name: 'c' } }] },
    ],
    [
      'an object of an abstract type by its fields',
      1 + 1,
      '{ found { ... on Book { next { title } } ... on Poem { author { name } } } }',
      {},
      { found: { next: { title: 'a' } } },
    ],
    ['or by its name', 1, '{ found { __typename } }', {}, { found: { __typename: 'Book' } }],
    ['the dearest where it may be either', 5, '{ any { title } }', {}, { any: { title: 'a' } }],
    [
      'a list of lists by all items',
      3,
      '{ grid { title } }',
      {},
      { grid: [[{ title: 'a' }], [{ title: 'b' }, { title: 'c' }]] },
    ],
    [
      'sized fields by their own items',
      1 + 1,
      '{ shelf(first: 50) { books { title } } }',
      {},
      { shelf: { books: [{ title: 'a' }] } },
    ],
    [
      'a list that leads to one thing by the work and what came of it',
      3 * 10 + 1,
      'mutation { addAll(titles: ["a", "b", "c"]) { books { title } } }',
      {},
      { addAll: { books: [{ title: 'a' }] } },
    ],
    ['nothing was executed', 0, '{ book { title } }', {}, null],
  ];
  test.each(measures)('measured: %s', (...[, cost, source, variables, data]) => {
    expect(measureCost(price(source, variables), data)).toBe(cost);
  });
});

describe('refuses to count on', () => {
  test('where fragments in fragments make a million fields of a few lines', () => {
    const level = (n: number) =>
      `fragment F${n} on Book { ${Array.from({ length: 10 }, (_, i) => `a${i}: next { ...F${n + 1} }`).join(' ')} }`;
    const source = `{ book { ...F0 } } ${[0, 1, 2, 3, 4, 5].map(level).join(' ')} fragment F6 on Book { title }`;
    expect(estimateCost(price(source))).toBe(Infinity);
  });
});

describe('keeps out', () => {
  test('an estimate below what an execution comes to', () => {
    const source =
      '{ shelf(first: 2) { books { author { name } } } any { title } byIds(ids: ["a", "b"]) { title } }';
    const book = { __typename: 'Book', title: 'a', author: { name: 'b' } };
    const rootValue = { shelf: { books: [book, book] }, any: book, byIds: [book, null] };
    const { data } = graphqlSync({ schema, source, rootValue });
    const priced = price(source);
    expect(measureCost(priced, data)).toBeGreaterThan(0);
    expect(measureCost(priced, data)).toBeLessThanOrEqual(estimateCost(priced));
  });
});
