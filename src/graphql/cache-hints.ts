import type { GraphQLResolveInfo } from 'graphql';
import type { Context } from './context.ts';

/** What the `Query` fields of one operation have declared about their answers, by their response keys. */
export type AnswerHints = {
  /** Seconds for which browsers and CDNs may cache the answer. */
  maxAges: Map<string, number>;
  /** The fields whose answers this server may send to other callers with the same scopes. */
  shared: Set<string>;
};

/** A property of the context: a map from contexts costs as much as the rest of a shared answer. */
const hintsKey = Symbol('hints of the answer');

type HintedContext = Context & { [hintsKey]?: AnswerHints };

function hintsFor(context: HintedContext): AnswerHints {
  context[hintsKey] ??= { maxAges: new Map(), shared: new Set() };
  return context[hintsKey];
}

/**
 * Declares that the answer of this `Query` field is the same for every caller that can ask for it, and how long a cache
 * may serve it to others. Call it only once the field has succeeded: a failure must not be cached.
 */
export function setCacheHint(
  context: Context,
  { path }: GraphQLResolveInfo,
  maxAgeSeconds: number,
): void {
  hintsFor(context).maxAges.set(String(path.key), maxAgeSeconds);
}

/**
 * Declares that the answer of this `Query` field depends on its arguments, on the scopes of the caller and on cached lists of
 * the upstream alone. Call it only once the field has succeeded.
 */
export function setShared(context: Context, { path }: GraphQLResolveInfo): void {
  hintsFor(context).shared.add(String(path.key));
}

/** Seconds that the whole response can be cached: the smallest of its fields, 0 if one field has no cache hint. */
export function sharedMaxAge(context: HintedContext, data: Record<string, unknown>): number {
  const known = context[hintsKey];
  if (known === undefined) return 0;
  return Math.min(...fieldKeys(data).map((key) => known.maxAges.get(key) ?? 0));
}

/** The hints of an answer that can be shared as a whole; undefined if a field of it can not. */
export function hintsOfShared(
  context: HintedContext,
  data: Record<string, unknown>,
): AnswerHints | undefined {
  const known = context[hintsKey];
  const keys = fieldKeys(data);
  const isShared = keys.length > 0 && keys.every((key) => known?.shared.has(key));
  return isShared ? known : undefined;
}

/** For an operation that is answered with the cached answer of another one. */
export function copyHints(context: HintedContext, from: AnswerHints): void {
  context[hintsKey] = from;
}

/** The only string among the fields of `Query` is `__typename`, which is the same for every caller. */
function fieldKeys(data: Record<string, unknown>): string[] {
  return Object.keys(data).filter((key) => typeof data[key] !== 'string');
}
