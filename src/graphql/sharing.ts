import type { GraphQLResolveInfo } from 'graphql';
import type { Context } from './context.ts';

/** For each operation, how many seconds its fields of `Query` may be kept, by response key. */
const kept = new WeakMap<Context, Map<string, number>>();

/**
 * Says that what a field of `Query` is about to answer is the same for everybody who may ask it, and for how many seconds
 * a cache may give it to others. Not before it is known that there is an answer: a failure is for the one who met it.
 */
export function share(context: Context, { path }: GraphQLResolveInfo, seconds: number): void {
  const fields = kept.get(context) ?? new Map<string, number>();
  kept.set(context, fields.set(String(path.key), seconds));
}

/** For how many seconds the whole of an answer may be kept: 0 where a part of it is somebody's own. */
export function secondsShared(context: Context, data: Record<string, unknown>): number {
  const fields = kept.get(context);
  if (fields === undefined) return 0;
  // The one text that `Query` has is its own `__typename`.
  const asked = Object.keys(data).filter((key) => typeof data[key] !== 'string');
  return Math.min(...asked.map((key) => fields.get(key) ?? 0));
}
