import { expect, it } from 'vitest';
import { schema } from '../../../src/schema.ts';
import { createPreparer } from '../../../src/server/operation/prepare.ts';

const createCache = () => createPreparer({ schema, trustedDocuments: null, hasSuggestions: true });

/** Two kilobytes of text, and a quarter of a megabyte of memory. */
const heavy = (n: number) => `{ nodes(ids: [${'1 '.repeat(970)}${n}]) { id } }`;
const light = (n: number) => `{ node(id: ${n}) { id } } # ${'x'.repeat(2_000)}`;

const numbers = [...Array(200).keys()];

/** @returns how many of the documents, each sent twice, are still cached */
function countKept(document: (n: number) => string): number {
  const prepare = createCache();
  const prepared = numbers.map((n) => [prepare(document(n)), prepare(document(n))][1]);
  // The newest first: preparing a document that is not cached displaces others.
  return numbers.toReversed().filter((n) => prepare(document(n)) === prepared[n]).length;
}

it('documents are kept by the memory that they need, and not by the length of their texts', () => {
  // 64 MB by 0.5 MB each.
  expect(countKept(heavy)).toBeLessThan(140);
  expect(countKept(heavy)).toBeGreaterThan(100);
  expect(countKept(light)).toBe(numbers.length);
});

it('documents that are sent once displace none that was sent twice', () => {
  const prepare = createCache();
  prepare(light(0));
  const known = prepare(light(0));
  for (const n of numbers) prepare(heavy(n));
  expect(prepare(light(0))).toBe(known);
});
