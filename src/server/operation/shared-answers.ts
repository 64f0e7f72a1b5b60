import type { ExecutionResult } from 'graphql';
import { LRUCache } from 'lru-cache';
import { type AnswerHints, copyHints, hintsOfShared } from '../../graphql/cache-hints.ts';
import type { Caller, Context } from '../../graphql/context.ts';
import type { OperationPlan, Variables } from '../../graphql/execution/plan.ts';
import { ReadSources } from '../../upstream/read-sources.ts';

type Data = Record<string, unknown>;

/** `data` is the same object for every caller, and is never changed. */
type Answer = {
  data: Data;
  text: string;
  hints: AnswerHints;
  sources: ReadSources;
  /** Set by the first operation that gets this answer. */
  measuredCost?: number;
};

/** In characters of all kept texts. */
const maxCharacters = 8 * 1024 ** 2;

/** The JSON of shared data. */
type SharedJson = { text: string /** With the brace that ends the result. */; bytes: Buffer };

const sharedJson = new WeakMap<object, SharedJson>();

/** The JSON of a result. The text of shared data is made once. */
export function stringifyResult(result: ExecutionResult): string {
  const shared = sharedJsonOf(result);
  return shared === undefined ? JSON.stringify(result) : `${headOf(result)}${shared.text}}`;
}

/**
 * The JSON of a result with shared data, in two parts: what belongs to this operation, and bytes that every operation with
 * that data sends. Encoding a page again for each of them costs as much as all other work on the request. Undefined: the
 * data is not shared.
 */
export function partsOfShared(result: ExecutionResult): { head: string; rest: Buffer } | undefined {
  const shared = sharedJsonOf(result);
  return shared && { head: headOf(result), rest: shared.bytes };
}

function sharedJsonOf({ data, errors }: ExecutionResult): SharedJson | undefined {
  return errors !== undefined || data === null || data === undefined
    ? undefined
    : sharedJson.get(data);
}

function headOf({ extensions }: ExecutionResult): string {
  const before = extensions === undefined ? '' : `"extensions":${JSON.stringify(extensions)},`;
  return `{${before}"data":`;
}

/**
 * Answers that depend on the document, the variables, the scopes of the caller and kept lists of the upstream alone, as
 * their fields declare. They are sent again for as long as the lists are current.
 */
export class SharedAnswers {
  readonly #answers = new LRUCache<string, Answer>({
    maxSize: maxCharacters,
    maxEntrySize: maxCharacters / 8,
    sizeCalculation: ({ text }, key) => text.length + key.length,
  });
  readonly #ids = new WeakMap<OperationPlan, number>();
  #lastId = 0;

  find(plan: OperationPlan, variables: Variables, context: Context): Answer | undefined {
    // No other operation has been shared.
    const id = this.#ids.get(plan);
    if (id === undefined) return undefined;
    const key = keyOf(id, variables, context.caller);
    const answer = this.#answers.get(key);
    if (answer === undefined) return undefined;
    if (!answer.sources.isCurrent()) {
      this.#answers.delete(key);
      return undefined;
    }
    copyHints(context, answer.hints);
    return answer;
  }

  /** Executes, and keeps the answer if it can be shared. */
  async make(
    { plan, variables, context }: { plan: OperationPlan; variables: Variables; context: Context },
    execute: () => ExecutionResult | Promise<ExecutionResult>,
  ): Promise<ExecutionResult> {
    const sources = new ReadSources();
    const result = await sources.collect(execute);
    const { data, errors } = result;
    if (errors !== undefined || data === null || data === undefined) return result;
    const hints = hintsOfShared(context, data);
    if (hints === undefined || !sources.isCurrent()) return result;
    const id = this.#ids.get(plan) ?? this.#nextId(plan);
    const text = JSON.stringify(data);
    sharedJson.set(data, { text, bytes: Buffer.from(`${text}}`) });
    this.#answers.set(keyOf(id, variables, context.caller), { data, text, hints, sources });
    return result;
  }

  #nextId(plan: OperationPlan): number {
    this.#lastId += 1;
    this.#ids.set(plan, this.#lastId);
    return this.#lastId;
  }
}

/** Callers with the same scopes get the same answers. A caller that is not admitted has none. */
function keyOf(id: number, variables: Variables, { scopes, owner }: Caller): string {
  const rights = owner === 'nobody' ? '-' : textOf(scopes);
  return `${id} ${rights} ${JSON.stringify(variables)}`;
}

const scopeTexts = new WeakMap<Caller['scopes'], string>();

/** A caller that is known has the same set for each of its requests. */
function textOf(scopes: Caller['scopes']): string {
  const known = scopeTexts.get(scopes) ?? [...scopes].toSorted().join();
  scopeTexts.set(scopes, known);
  return known;
}
