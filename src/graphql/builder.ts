import SchemaBuilder from '@pothos/core';
import DataloaderPlugin from '@pothos/plugin-dataloader';
import DirectivesPlugin from '@pothos/plugin-directives';
import ErrorsPlugin from '@pothos/plugin-errors';
import FederationPlugin from '@pothos/plugin-federation';
import RelayPlugin from '@pothos/plugin-relay';
import ScopeAuthPlugin from '@pothos/plugin-scope-auth';
import { accessFailure, isAdmitted, nodeAccessFailure } from './access.ts';
import type { Caller, Context, Scope } from './context.ts';
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
    DateTime: { Input: Date; Output: Date };
    BigInt: { Input: number; Output: number };
    File: { Input: File; Output: never };
  };
};

/** The types that `node` can fetch. */
const nodeTypes: ReadonlySet<string> = new Set([
  'Account',
  'Lipsync',
  'Upload',
  'Video',
  'Voice',
  'WebhookDelivery',
]);

/**
 * The order is the order of wrapping: errors outermost, so that a refusal of scope-auth becomes a member of the
 * field's union like any other meant failure.
 */
export const builder = new SchemaBuilder<SchemaTypes>({
  plugins: [
    ErrorsPlugin,
    ScopeAuthPlugin,
    RelayPlugin,
    DataloaderPlugin,
    DirectivesPlugin,
    FederationPlugin,
  ],
  defaultFieldNullability: false,
  errors: { directResult: true },
  scopeAuth: {
    authorizeOnSubscribe: true,
    authScopes: ({ caller }) => ({ scope: (scope) => caller.scopes.has(scope) }),
    // Meant failures do not extend Error; the errors plugin takes whatever was thrown.
    unauthorizedError: (...[, { caller }, , { failure }]) =>
      accessFailure(caller, missingScope(failure)) as unknown as Error,
  },
  relay: {
    cursorType: 'String',
    encodeGlobalID: encodeId,
    // Pothos would throw on rubbish and null the whole answer: it becomes an id that none has.
    decodeGlobalID: (id) => {
      const decoded = decodeId(id);
      return decoded !== null && nodeTypes.has(decoded.typename)
        ? decoded
        : { typename: 'Lipsync', id: '' };
    },
    nodeTypeOptions: { description: 'Anything with an identity that can be fetched again by it.' },
    idFieldOptions: { description: 'Opaque, stable, and unique among all types.' },
    nodeQueryOptions: {
      nullable: true,
      authScopes: (_root: unknown, _args: unknown, { caller }: Context) => isAdmitted(caller),
      directives: { cost: upstreamCallCost },
      args: { id: { description: 'Its id.' } },
      resolve: (...[, { id }, { caller }, , resolveNode]) => {
        const refused = refusalOfNode(id, caller);
        if (refused !== null) throw refused;
        return resolveNode(id);
      },
      description:
        'Fetches anything by its id. Null when there is nothing for the caller under it.',
    },
    nodesQueryOptions: {
      nullable: { list: false, items: true },
      authScopes: (_root: unknown, _args: unknown, { caller }: Context) => isAdmitted(caller),
      directives: { cost: upstreamCallCost },
      args: { ids: { description: 'Their ids.' } },
      resolve: async (...[, { ids }, { caller }, , resolveNodes]) => {
        const nodes = await resolveNodes(ids);
        return ids.map((id, at) => {
          const refused = refusalOfNode(id, caller);
          return refused === null ? nodes[at] : rejected(refused);
        });
      },
      description: 'Fetches things by their ids, in their order; null where there is nothing.',
    },
    pageInfoTypeOptions: { description: 'Where a page of a connection stands.', shareable: true },
    hasNextPageFieldOptions: { description: 'Whether more follow this page.' },
    hasPreviousPageFieldOptions: { description: 'Whether some come before this page.' },
    startCursorFieldOptions: {
      description: 'The cursor of its first item; null where it is empty.',
    },
    endCursorFieldOptions: { description: 'The cursor of its last item; null where it is empty.' },
  },
});

/** Rubbish is missing for everybody, and so is an account for whoever is no operator. */
function refusalOfNode({ typename, id }: { typename: string; id: string }, caller: Caller) {
  return id === '' || typename === 'Account' ? null : nodeAccessFailure(typename, caller);
}

/** One item of a list that failed. Whoever executes the list hears of it, a moment later than Node would wait. */
function rejected(reason: unknown): Promise<never> {
  const promise = Promise.reject(reason);
  promise.catch(() => undefined);
  return promise;
}

/** The scope in a failure of scope-auth, which wraps even a single one. */
function missingScope(failure: unknown): string {
  if (typeof failure !== 'object' || failure === null) return 'of an operator';
  if ('parameter' in failure) return String(failure.parameter);
  return 'failures' in failure && Array.isArray(failure.failures)
    ? missingScope(failure.failures[0])
    : 'of an operator';
}

builder.queryType({ description: 'What can be asked.' });
builder.mutationType({ description: 'What can be done.' });
builder.subscriptionType({ description: 'What can be watched.' });
