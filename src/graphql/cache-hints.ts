import type { GraphQLResolveInfo } from 'graphql';
import type { Context } from './context.ts';

/** For each operation: response key of a `Query` field → seconds that its answer can be cached. */
const maxAges = new WeakMap<Context, Map<string, number>>();

/**
 * Declares that the answer of this `Query` field is the same for every caller that can ask for it, and how long a cache
 * may serve it to others. Call it only once the field has succeeded: a failure must not be cached.
 */
export function setCacheHint(
  context: Context,
  { path }: GraphQLResolveInfo,
  maxAgeSeconds: number,
): void {
  const fields = maxAges.get(context) ?? new Map<string, number>();
  maxAges.set(context, fields.set(String(path.key), maxAgeSeconds));
}

/** Seconds that the whole response can be cached: the smallest of its fields, 0 if one field has no cache hint. */
export function sharedMaxAge(context: Context, data: Record<string, unknown>): number {
  const fields = maxAges.get(context);
  if (fields === undefined) return 0;
  // The only string among the fields of `Query` is `__typename`, which is the same for every caller.
  const keys = Object.keys(data).filter((key) => typeof data[key] !== 'string');
  return Math.min(...keys.map((key) => fields.get(key) ?? 0));
}
