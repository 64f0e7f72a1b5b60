import { type ExecutionResult, GraphQLError } from 'graphql';
import { requestError } from './request-error.ts';

/**
 * The largest page of this product, a hundred lip-syncs with all their fields and a hundred events each, has about three
 * million characters. The cost limits the number of objects and not their size: without this limit an alias of 60 kB, or
 * thirty aliases of a long reference, made a response of 184 MB out of a request of 100 kB.
 */
const maxCharacters = 5_000_000;

/** The result, or an error in the place of its data and errors. `data` is null, because the operation was executed. */
export function limitResult(result: ExecutionResult): ExecutionResult {
  const left = subtract(maxCharacters, [result.data, result.errors]);
  if (left >= 0) return result;
  const message = `The operation was executed, and its result has more than ${maxCharacters} characters. Ask for smaller pages or fewer fields.`;
  return { ...result, data: null, errors: [requestError('RESULT_TOO_LARGE', message)] };
}

/**
 * Subtracts the approximate number of characters of the value as JSON. Stops below zero, so it takes no longer for a
 * larger value.
 */
function subtract(left: number, value: unknown): number {
  if (typeof value === 'string') return left - value.length - 2;
  if (typeof value !== 'object' || value === null) return left - 5;
  if (Array.isArray(value)) return subtractItems(left, value);
  return subtractFields(left, value instanceof GraphQLError ? value.toJSON() : value);
}

function subtractItems(left: number, items: readonly unknown[]): number {
  let rest = left - 2;
  for (const item of items) {
    rest = subtract(rest - 1, item);
    if (rest < 0) break;
  }
  return rest;
}

function subtractFields(left: number, fields: object): number {
  let rest = left - 2;
  for (const key in fields) {
    rest = subtract(rest - key.length - 4, (fields as Record<string, unknown>)[key]);
    if (rest < 0) break;
  }
  return rest;
}
