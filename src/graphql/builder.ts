import SchemaBuilder from '@pothos/core';
import DataloaderPlugin from '@pothos/plugin-dataloader';
import DirectivesPlugin from '@pothos/plugin-directives';
import ErrorsPlugin from '@pothos/plugin-errors';
import RelayPlugin from '@pothos/plugin-relay';
import ScopeAuthPlugin from '@pothos/plugin-scope-auth';
import { accessFailure, isAdmitted, nodeAccessFailure } from './access.ts';
import type { Caller, Context, Scope } from './context.ts';
import { federationPlugin } from './federation.ts';
import { decodeId, encodeId } from './ids.ts';
import { type ListSize, upstreamCallCost } from './prices.ts';

export type SchemaTypes = {
  Context: Context;
  DefaultFieldNullability: false;
  DefaultEdgesNullability: false;
  DefaultNodeNullability: false;
  AuthScopes: { scope: Scope };
  Directives: {
    cost: { locations: 'FIELD_DEFINITION'; args: { weight: number } };
    listSize: { locations: 'FIELD_DEFINITION'; args: ListSize };
  };
  Scalars: {
    ID: { Input: string; Output: string };
    DateTime: { Input: Date; Output: Date | string };
    URL: { Input: string; Output: string };
    SafeInt: { Input: number; Output: number };
    File: { Input: File; Output: never };
  };
};

/** The types that `node` can load. */
const nodeTypes: ReadonlySet<string> = new Set([
  'Account',
  'Lipsync',
  'Upload',
  'Video',
  'Voice',
  'WebhookDelivery',
]);

/**
 * Plugins wrap resolvers in this order. The errors plugin is the outermost, so that a failure of the scope-auth plugin
 * becomes a member of the field's result union, like other failures.
 */
export const builder = new SchemaBuilder<SchemaTypes>({
  plugins: [
    ErrorsPlugin,
    ScopeAuthPlugin,
    RelayPlugin,
    DataloaderPlugin,
    DirectivesPlugin,
    federationPlugin,
  ],
  defaultFieldNullability: false,
  errors: { directResult: true },
  scopeAuth: {
    authorizeOnSubscribe: true,
    authScopes: ({ caller }) => ({ scope: (scope) => caller.scopes.has(scope) }),
    // A `Failure` does not extend Error; the errors plugin accepts any thrown value.
    unauthorizedError: (...[, { caller }, , { failure }]) =>
      accessFailure(caller, missingScope(failure)) as unknown as Error,
  },
  relay: {
    cursorType: 'String',
    encodeGlobalID: encodeId,
    // Pothos would throw on a malformed id, which would null the whole response. It becomes an id that no object has.
    decodeGlobalID: (id) => {
      const decoded = decodeId(id);
      return decoded !== null && nodeTypes.has(decoded.typename)
        ? decoded
        : { typename: 'Lipsync', id: '' };
    },
    nodeTypeOptions: { description: 'An object with an id, which `node` loads.' },
    idFieldOptions: { description: 'Opaque, stable and unique across all types.' },
    nodeQueryOptions: {
      nullable: true,
      authScopes: (_root: unknown, _args: unknown, { caller }: Context) => isAdmitted(caller),
      directives: { cost: upstreamCallCost },
      args: { id: { description: 'The id of the object.' } },
      resolve: (...[, { id }, { caller }, , resolveNode]) => {
        const failure = accessFailureForId(id, caller);
        if (failure !== null) throw failure;
        return resolveNode(id);
      },
      description:
        'Loads an object by its id. Null if it does not exist or belongs to another owner.',
    },
    nodesQueryOptions: {
      nullable: { list: false, items: true },
      directives: { cost: upstreamCallCost },
      args: { ids: { description: 'The ids of the objects.' } },
      resolve: async (...[, { ids }, { caller }, , resolveNodes]) => {
        const nodes = await resolveNodes(ids);
        return ids.map((id, at) => {
          const failure = accessFailureForId(id, caller);
          return failure === null ? nodes[at] : rejectLater(failure);
        });
      },
      description:
        'Loads objects by their ids, in the same order. An entry is null if the object does not exist or belongs to another owner.',
    },
    pageInfoTypeOptions: { description: 'The position of a page in its list.', shareable: true },
    hasNextPageFieldOptions: { description: 'Whether the list has items after this page.' },
    hasPreviousPageFieldOptions: { description: 'Whether the list has items before this page.' },
    startCursorFieldOptions: {
      description: 'The cursor of the first item. Null if the page is empty.',
    },
    endCursorFieldOptions: {
      description: 'The cursor of the last item. Null if the page is empty.',
    },
  },
});

/**
 * Null for a malformed id, which resolves to null for every caller, and for an account: a caller that is not an operator
 * must not learn whether it exists.
 */
function accessFailureForId({ typename, id }: { typename: string; id: string }, caller: Caller) {
  return id === '' || typename === 'Account' ? null : nodeAccessFailure(typename, caller);
}

/**
 * A failed item of a list. The executor handles the rejection only when it completes the list; until then Node would report
 * it as unhandled.
 */
function rejectLater(reason: unknown): Promise<never> {
  const promise = Promise.reject(reason);
  promise.catch(() => undefined);
  return promise;
}

/** The scope in a failure of scope-auth, which nests it in a list. */
function missingScope(failure: unknown): string {
  if (typeof failure !== 'object' || failure === null) return 'admin';
  if ('parameter' in failure) return String(failure.parameter);
  return 'failures' in failure && Array.isArray(failure.failures)
    ? missingScope(failure.failures[0])
    : 'admin';
}

builder.queryType({ description: 'The operations that read.' });
builder.mutationType({ description: 'The operations that change something.' });
builder.subscriptionType({ description: 'The operations that stream events.' });
