import type { ObjectRef } from '@pothos/core';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { keyOf } from './ids.ts';
import { type NodeRule, nodeRefusal, setNodeRule } from './node-rules.ts';

type Extended = typeof builder.$inferSchemaTypes;

/** A node with a loader. */
type Loadable<T extends object> = ObjectRef<Extended, unknown, T> & {
  getDataloader(context: Context): { load(key: string): Promise<T | null> };
};

/**
 * Lets other subgraphs refer to a node by its id. However many references a request has, they are loaded at once; an id
 * that is malformed, unknown or another owner's is null. A caller that may ask for none gets null with an entry in
 * `errors[]`, which tells it apart from a missing one.
 */
export function defineEntity<T extends object>(ref: Loadable<T>, rule: NodeRule): void {
  setNodeRule(ref.name, rule);
  builder.asEntity(ref, {
    key: builder.selection<{ id: string }>('id'),
    resolveReference: async ({ id }, context) => {
      const refused = nodeRefusal(ref.name, context.caller);
      if (refused !== null) throw refused;
      // What a stranger sends is of any shape.
      const key = typeof id === 'string' ? keyOf(ref.name, id) : null;
      return key === null ? null : ref.getDataloader(context).load(key);
    },
  });
}
