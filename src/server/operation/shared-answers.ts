import type { ExecutionResult } from 'graphql';
import { LRUCache } from 'lru-cache';
import { type AnswerHints, hintsOfShared } from '../../graphql/cache-hints.ts';
import type { Caller, Context } from '../../graphql/context.ts';
import type { MaybePromise } from '../../graphql/execution/maybe-promise.ts';
import type { OperationPlan, Variables } from '../../graphql/execution/plan.ts';
import { ReadSources } from '../../upstream/read-sources.ts';
import { type Body, bodyOf } from '../http/response.ts';

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

/** In characters of all cached texts. */
const maxCharacters = 8 * 1024 ** 2;

/** The JSON of shared data, and of the whole result of the last operation that sent it. */
type SharedJson = { body: Body; sent?: { head: string; body: Body } };

const sharedJson = new WeakMap<object, SharedJson>();

/** The JSON of a result. The text of shared data is made once. */
export function stringifyResult(result: ExecutionResult): string {
  return bodyOfResult(result).text;
}

/**
 * The JSON of a result as it is sent. Operations with the same shared data send the same text where they also have the same
 * cost: joining and measuring a page again for each of them would cost as much as all other work on the request.
 */
export function bodyOfResult(result: ExecutionResult): Body {
  const shared = sharedJsonOf(result);
  if (shared === undefined) return bodyOf(JSON.stringify(result));
  const head = headOf(result);
  if (shared.sent?.head !== head) shared.sent = { head, body: join(head, shared.body) };
  return shared.sent.body;
}

function join(head: string, { text, byteLength, isAscii }: Body): Body {
  // The head contains only names and numbers of this server, so each character is one byte.
  const headLength = head.length;
  const joined = `${head}${text}}`;
  // Decoded from bytes: V8 would otherwise store the two parts, and join them again for each response.
  const flat = isAscii ? Buffer.from(joined, 'latin1').toString('latin1') : joined;
  return { text: flat, byteLength: headLength + byteLength + 1, isAscii };
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
 * Answers that depend on the document, the variables, the scopes of the caller and cached lists of the upstream alone, as
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
    // Without an id no answer of the operation has been shared.
    const id = this.#ids.get(plan);
    if (id === undefined) return undefined;
    const key = keyOf(id, variables, context.caller);
    const answer = this.#answers.get(key);
    if (answer === undefined) return undefined;
    if (!answer.sources.isCurrent()) {
      this.#answers.delete(key);
      return undefined;
    }
    return answer;
  }

  /** Executes the operation, and caches the answer if it can be shared. */
  async make(
    { plan, variables, context }: { plan: OperationPlan; variables: Variables; context: Context },
    execute: () => MaybePromise<ExecutionResult>,
  ): Promise<ExecutionResult> {
    const sources = new ReadSources();
    const result = await sources.collect(execute);
    const { data, errors } = result;
    if (errors !== undefined || data === null || data === undefined) return result;
    const hints = hintsOfShared(context, data);
    if (hints === undefined || !sources.isCurrent()) return result;
    const id = this.#ids.get(plan) ?? this.#nextId(plan);
    const text = JSON.stringify(data);
    sharedJson.set(data, { body: bodyOf(text) });
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

/** The set is the same object for all requests of a known caller. */
function textOf(scopes: Caller['scopes']): string {
  const known = scopeTexts.get(scopes) ?? [...scopes].toSorted().join();
  scopeTexts.set(scopes, known);
  return known;
}
