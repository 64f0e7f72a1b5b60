import {
  type ASTVisitor,
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  NoSchemaIntrospectionCustomRule,
  type ValidationContext,
  validate,
} from 'graphql';
import type { Caller } from '../../graphql/context.ts';
import { requestError } from './request-error.ts';

/** The callers that are allowed to read the schema. */
export type Introspection = 'everyone' | 'authenticated' | 'none';

/** Whether the caller may read `__schema`, `__type` and the subgraph's `_service`. */
export function mayIntrospect(policy: Introspection, { isAuthenticated }: Caller): boolean {
  return policy === 'everyone' || (policy === 'authenticated' && isAuthenticated);
}

/** The errors for callers that may not read the schema. */
export function findIntrospection(
  schema: GraphQLSchema,
  document: DocumentNode,
): readonly GraphQLError[] {
  const errors = validate(schema, document, [NoSchemaIntrospectionCustomRule, noServiceRule]);
  return errors.map(({ message }) => requestError('INTROSPECTION_REFUSED', message));
}

function noServiceRule(context: ValidationContext): ASTVisitor {
  return {
    Field: (node) => {
      if (node.name.value === '_service') {
        context.reportError(new GraphQLError('The SDL of this subgraph is not public.'));
      }
    },
  };
}
