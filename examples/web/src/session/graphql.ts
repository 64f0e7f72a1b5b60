import { initGraphQLTada } from 'gql.tada';
import type { introspection } from '../graphql-env.ts';

/** Queries get their types from the server's schema. */
export const graphql = initGraphQLTada<{
  introspection: introspection;
  disableMasking: true;
  scalars: { DateTime: string; SafeInt: number; URL: string };
}>();

export type { ResultOf } from 'gql.tada';
