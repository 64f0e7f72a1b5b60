import type { ObjectRef } from '@pothos/core';
import { type NodeRule, nodeAccessFailure, setNodeRule } from './access.ts';
import type { builder } from './builder.ts';
import type { Context } from './context.ts';
import { setEntity } from './federation.ts';
import { keyOf } from './ids.ts';

type BuilderTypes = typeof builder.$inferSchemaTypes;

/** A node with a loader. */
type Loadable<T extends object> = ObjectRef<BuilderTypes, unknown, T> & {
  getDataloader(context: Context): { load(key: string): Promise<T | null> };
};

/**
 * Makes a node a federation entity, which other subgraphs can refer to by its id. All references of a request are loaded
 * in one batch. A malformed or unknown id, or one of another owner, resolves to null. A caller without access to the type
 * gets null plus an entry in `errors[]`, so that it can distinguish missing access from a missing object.
 */
export function defineEntity<T extends object>(ref: Loadable<T>, rule: NodeRule): void {
  setNodeRule(ref.name, rule);
  setEntity(ref.name, async ({ id }, context) => {
    const failure = nodeAccessFailure(ref.name, context.caller);
    if (failure !== null) throw failure;
    // The type `_Any` of a reference is not validated: `id` can be any JSON value.
    const key = typeof id === 'string' ? keyOf(ref.name, id) : null;
    return key === null ? null : ref.getDataloader(context).load(key);
  });
}
