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
import { priceOperation } from '../../src/graphql/cost.ts';
import { OperationPlan } from '../../src/graphql/execution/plan.ts';

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
    expensiveName: String @cost(weight: 3)
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
    expensiveArgument(of: Int @cost(weight: 6), by: [Filter!]): String
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

/** A slicing argument that is a list, which the directive cannot express and the domains set in the extensions. */
Object.assign(schema.getMutationType()?.getFields().addAll?.extensions ?? {}, {
  listSize: { slicingArguments: ['titles'], sizedFields: ['books'] },
});

function price(source: string, inputs: Record<string, unknown> = {}) {
  const document = parse(source);
  expect(validate(schema, document)).toEqual([]);
  const operation = getOperationAST(document);
  if (operation == null) throw new Error('The document has no operation.');
  const definitions = operation.variableDefinitions ?? [];
  const { coerced = {}, errors } = getVariableValues(schema, definitions, inputs);
  expect(errors).toBeUndefined();
  const fragments = document.definitions
    .filter((each): each is FragmentDefinitionNode => each.kind === Kind.FRAGMENT_DEFINITION)
    .map((each) => [each.name.value, each] as const);
  const plan = new OperationPlan({ schema, operation, fragments: new Map(fragments) }, coerced);
  const priced = priceOperation(plan);
  return {
    estimate: () => priced.estimate(coerced),
    measure: (data: unknown) => priced.measure(coerced, data),
  };
}

type Row = [title: string, cost: number, source: string, variables?: Record<string, unknown>];

describe('works', () => {
  const estimates: Row[] = [
    ['a field without a selection is free', 0, '{ name __typename }'],
    ['a field with a selection costs 1', 1, '{ book { title } }'],
    ['and so do the fields in its selection', 3, '{ book { author { name } next { title } } }'],
    ['the weight of a field replaces the default', 3, '{ expensiveName }'],
    ['the weight of a type applies to all fields of the type', 5, '{ poem { title } }'],
    ['a scalar can have a weight', 2, '{ stamp }'],
    ['a mutation costs its weight', 10, 'mutation { add { title } }'],
    ['a subscription costs as one event', 1, 'subscription { added { title } }'],
    ['each alias counts', 2, '{ a: book { title } b: book { title } }'],
    [
      'a field that is selected twice is executed and counted once',
      3,
      '{ book { author { name } } book { title next { title } } }',
    ],
    [
      'also if it is selected in fragments',
      1,
      '{ ...F ... { book { title } } } fragment F on Query { book { title } }',
    ],
    ['a list costs its items for the requested size', 3, '{ books(first: 3) { title } }'],
    ['the default of a slicing argument counts', 2, '{ books { title } }'],
    ['the larger of two slicing arguments counts', 6, '{ books(first: 6, last: 5) { title } }'],
    ['a slicing argument can be an input field', 8, '{ filtered(by: { most: 8 }) { title } }'],
    [
      'a slicing argument can be a variable',
      9,
      'query ($n: Int) { books(first: $n) { title } }',
      { n: 9 },
    ],
    [
      'a variable without a value is ignored',
      7,
      'query ($n: Int) { assumed(first: $n) { title } }',
    ],
    ['the assumed size counts without a slicing argument', 7, '{ assumed { title } }'],
    ['a slicing argument overrides the assumed size', 1, '{ assumed(first: 1) { title } }'],
    ['a size of 0 costs nothing', 0, '{ books(first: 0, last: 0) { author { name } } }'],
    ['a negative size costs nothing', 0, '{ books(first: -5, last: -9) { title } }'],
    [
      'sizes multiply',
      3 * (1 + 1 + 4 * 2),
      '{ books(first: 3) { author { books(first: 4) { author { name } } } } }',
    ],
    [
      'sized fields take the size from their parent',
      1 + 3,
      '{ shelf(first: 3) { books { title } titles } }',
    ],
    ['and other fields do not', 1 + 5 + 1, '{ shelf { books { title } label { text } } }'],
    ['a list for a list argument has its length', 30, '{ byIds(ids: ["a", "b", "c"]) { title } }'],
    [
      'also if the argument is a variable',
      40,
      'query ($i: [ID!]!) { byIds(ids: $i) { title } }',
      { i: ['a', 'b', 'c', 'd'] },
    ],
    [
      'a field that takes a list and returns one object costs its weight per item',
      3 * 10 + 3 * (1 + 1) + 1,
      'mutation { addAll(titles: ["a", "b", "c"]) { books { author { name } } label { text } } }',
    ],
    [
      'also for a subscription, which otherwise costs one event',
      2 * 10 + 1,
      'subscription ($t: [String!]!) { anyAdded(titles: $t) { author { name } } }',
      { t: ['a', 'b'] },
    ],
    [
      'and its weight once for an empty list',
      10,
      'mutation { addAll(titles: []) { books { title } } }',
    ],
    ['a list without a size counts as one item', 1, '{ unsized { title } }'],
    ['a list of lists has one size', 9, '{ grid { title } }'],
    ['an abstract type costs as much as its most expensive object', 5, '{ any { title } }'],
    [
      'each with the fragments that apply to it',
      5 + 1,
      '{ found { ... on Book { next { title } author { name } } ... on Poem { author { name } } } }',
    ],
    [
      'with fields of the interface and of the object',
      4 * (5 + 1),
      '{ works { author { name } ... on Book { title } } }',
    ],
    ['an argument can have a weight', 6, '{ expensiveArgument(of: 1) }'],
    ['which counts only if the argument is given', 0, '{ expensiveArgument }'],
    [
      'input fields can have a weight, which counts for each occurrence',
      4 + 4 + 4,
      '{ expensiveArgument(by: [{ word: "a" }, { within: { word: "b" }, word: "c" }]) }',
    ],
    [
      'skipped fields are free',
      0,
      '{ book @skip(if: true) { title } poem @include(if: false) { title } }',
    ],
    [
      'also if a variable skips them',
      1,
      'query ($b: Boolean!) { book { title } poem @include(if: $b) { title } }',
      { b: false },
    ],
    [
      'included fields count',
      6,
      'query ($b: Boolean!) { book { title } ... @include(if: $b) { poem { title } } }',
      { b: true },
    ],
    [
      'introspection has a fixed cost, also under an alias',
      500 + 10,
      '{ s: __schema { types { name } } __type(name: "Book") { fields { name } } }',
    ],
  ];
  test.each(estimates)('%s', (...[, cost, source, variables]) => {
    expect(price(source, variables).estimate()).toBe(cost);
  });

  const measures: [...Row, data: unknown][] = [
    [
      'a list by its actual items',
      2,
      '{ books(first: 50) { title } }',
      {},
      { books: [{ title: 'a' }, { title: 'b' }] },
    ],
    ['an empty list as free', 0, '{ books(first: 50) { title } }', {}, { books: [] }],
    [
      'an empty list with arguments by its arguments',
      4,
      '{ filtered(by: { most: 8, word: "a" }) { title } }',
      {},
      { filtered: [] },
    ],
    // Before, null and missing values were refunded, so one failing field at the end made the whole operation free.
    ['null as requested', 2, '{ book { author { name } } }', {}, { book: null }],
    [
      'null in a list as requested',
      11 + 11,
      '{ byIds(ids: ["a", "b"]) { author { name } } }',
      {},
      { byIds: [null, { author: { name: 'c' } }] },
    ],
    [
      'null inside an item as requested, for each item',
      2 * 2,
      '{ books(first: 50) { author { name } } }',
      {},
      { books: [{ author: null }, { author: { name: 'a' } }] },
    ],
    ['null for a list as requested', 50, '{ books(first: 50) { title } }', {}, { books: null }],
    [
      'null for a list within an object as requested',
      1 + 50,
      '{ shelf(first: 50) { books { title } } }',
      {},
      { shelf: { books: null } },
    ],
    [
      'null for a list within a list as requested',
      9,
      '{ grid { title } }',
      {},
      { grid: [null, [{ title: 'a' }]] },
    ],
    [
      'a missing field as requested',
      2 + 1,
      '{ book { title } books(first: 2) { title } }',
      {},
      { book: { title: 'a' } },
    ],
    [
      'a field of which every alias is null as requested',
      2 * 50,
      '{ a: books(first: 50) { title } b: books(first: 50) { title } }',
      {},
      { a: null, b: null },
    ],
    ['no data as requested', 50, '{ books(first: 50) { title } }', {}, null],
    ['undefined data as requested', 50, '{ books(first: 50) { title } }', {}, undefined],
    [
      'only the missing items of a list next to a failed field',
      1 + 50,
      '{ a: books(first: 50) { title } b: books(first: 50) { title } }',
      {},
      { a: [{ title: 'a' }], b: null },
    ],
    [
      'an object of an abstract type as the most expensive type that was requested',
      5 + 1,
      '{ found { ... on Book { next { title } } ... on Poem { author { name } } } }',
      {},
      { found: { next: { title: 'a' } } },
    ],
    [
      'also if it has a __typename',
      5,
      '{ found { __typename } }',
      {},
      { found: { __typename: 'Book' } },
    ],
    [
      'the items of an abstract type by their number',
      5 + 5,
      '{ works { title } }',
      {},
      { works: [{ title: 'a' }, { title: 'b' }] },
    ],
    [
      'the missing items of a list in an object of an abstract type',
      5,
      '{ works { ... on Book { author { books(first: 50) { title } } } } }',
      {},
      { works: [{ author: { books: [] } }] },
    ],
    [
      'an object of unknown type as the most expensive one',
      5,
      '{ any { title } }',
      {},
      { any: { title: 'a' } },
    ],
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
    // A mutation has done its work, also if the list that reports it is empty or its last field failed.
    [
      'a mutation as requested, also with an empty list',
      3 * 10 + 3,
      'mutation { addAll(titles: ["a", "b", "c"]) { books { title } } }',
      {},
      { addAll: { books: [] } },
    ],
    [
      'a mutation without data as requested',
      3 * 10,
      'mutation { a: add { title } b: add { title } c: add { title } }',
      {},
      null,
    ],
    ['a subscription without data as requested', 1, 'subscription { added { title } }', {}, null],
    [
      'skipped fields as free',
      1,
      'query ($b: Boolean!) { book { title } poem @include(if: $b) { title } }',
      { b: false },
      { book: null },
    ],
  ];
  test.each(measures)('measures %s', (...[, cost, source, variables, data]) => {
    expect(price(source, variables).measure(data)).toBe(cost);
  });
});

describe('refuses', () => {
  test('to count nested fragments that expand to a million fields', () => {
    const level = (n: number) =>
      `fragment F${n} on Book { ${Array.from({ length: 10 }, (_, i) => `a${i}: next { ...F${n + 1} }`).join(' ')} }`;
    const source = `{ book { ...F0 } } ${[0, 1, 2, 3, 4, 5].map(level).join(' ')} fragment F6 on Book { title }`;
    expect(price(source).estimate()).toBe(Infinity);
  });
});

describe('keeps out', () => {
  test('an estimate below the actual cost', () => {
    const source =
      '{ shelf(first: 2) { books { author { name } } } any { title } byIds(ids: ["a", "b"]) { title } }';
    const book = { __typename: 'Book', title: 'a', author: { name: 'b' } };
    const rootValue = { shelf: { books: [book, book] }, any: book, byIds: [book, null] };
    const { data } = graphqlSync({ schema, source, rootValue });
    const priced = price(source);
    expect(priced.measure(data)).toBeGreaterThan(0);
    expect(priced.measure(data)).toBeLessThanOrEqual(priced.estimate());
  });
});
