import { type DocumentNode, type GraphQLError, visit } from 'graphql';
import { jsonToken, scanJson } from './json-scan.ts';
import { requestError } from './request-error.ts';

/**
 * The longest list of the schema has 100 items. A router can ask for more entities than that in one list, and the cost limit
 * allows 1,200 of the cheapest.
 */
const maxListLength = 2_000;

/** The deepest input of the schema has 5 levels. */
const maxDepth = 20;

/** A hundred items of `createLipsyncs` with every field have 2,500 values. */
const maxValues = 10_000;

const tooDeep = () => requestError('VALUES_TOO_DEEP', `Values nest at most ${maxDepth} levels.`);
const tooLong = () =>
  requestError('VALUES_TOO_LARGE', `A list has at most ${maxListLength} values.`);
const tooMany = () =>
  requestError('VALUES_TOO_LARGE', `A request has at most ${maxValues} values.`);

/**
 * Checks the length of lists, the depth and the number of values in a JSON text before it is parsed: parsing and coercing
 * block the process for much longer than this pass. Texts that are not JSON are left to the parser.
 *
 * @param envelopeDepth levels of the transport around the values, which are not counted
 */
export function checkJsonValues(text: Uint8Array, envelopeDepth: number): GraphQLError | undefined {
  const counter = new ValueCounter(envelopeDepth);
  scanJson(text, (token) => {
    counter.count(token);
    return counter.error !== undefined;
  });
  return counter.error;
}

class ValueCounter {
  error: GraphQLError | undefined;
  readonly #envelopeDepth: number;
  /** The number of commas in each open list or object, by depth. */
  readonly #commas = new Uint32Array(maxDepth + 8);
  readonly #isList: boolean[] = [];
  #depth = 0;
  #values = 0;

  constructor(envelopeDepth: number) {
    this.#envelopeDepth = envelopeDepth;
  }

  count(token: number): void {
    if (token === jsonToken.openList || token === jsonToken.openObject) {
      this.#open(token === jsonToken.openList);
    } else if (token === jsonToken.closeList || token === jsonToken.closeObject) {
      this.#depth = Math.max(0, this.#depth - 1);
    } else if (token === jsonToken.comma) this.#countComma();
  }

  #open(isList: boolean): void {
    this.#depth += 1;
    if (this.#depth > maxDepth + this.#envelopeDepth) {
      this.error = tooDeep();
      return;
    }
    this.#commas[this.#depth] = 0;
    this.#isList[this.#depth] = isList;
    this.#countValue();
  }

  #countComma(): void {
    const count = (this.#commas[this.#depth] ?? 0) + 1;
    this.#commas[this.#depth] = count;
    this.#countValue();
    // A list has one value more than commas. A list around everything is a batch, which has its own error.
    if (this.#isList[this.#depth] && count >= maxListLength && this.#depth > this.#envelopeDepth) {
      this.error = tooLong();
    }
  }

  #countValue(): void {
    if (this.#depth > this.#envelopeDepth) this.#values += 1;
    if (this.#values > maxValues) this.error = tooMany();
  }
}

/** Checks the variables and extensions of a GET request, which are JSON texts in the URL. */
export function checkSearchValues(search: URLSearchParams): GraphQLError | undefined {
  for (const name of ['variables', 'extensions']) {
    const error = checkJsonValues(Buffer.from(search.get(name) ?? ''), 0);
    if (error !== undefined) return error;
  }
  return undefined;
}

/** The depth of literals; the limit of tokens bounds their number already. */
export function checkLiterals(document: DocumentNode): GraphQLError | undefined {
  let depth = 0;
  let deepest = 0;
  const enter = () => {
    depth += 1;
    deepest = Math.max(deepest, depth);
  };
  const leave = () => {
    depth -= 1;
  };
  visit(document, { ListValue: { enter, leave }, ObjectValue: { enter, leave } });
  return deepest > maxDepth ? tooDeep() : undefined;
}
