import type { Plugin } from '@envelop/core';
import {
  type ASTVisitor,
  GraphQLError,
  NoSchemaIntrospectionCustomRule,
  type ValidationContext,
  validate,
} from 'graphql';
import type { Context } from '../graphql/context.ts';

export type Introspection = 'everyone' | 'authenticated' | 'nobody';

/**
 * Who may ask for the schema, by `__schema`, `__type` or the subgraph's `_service`. It is held where the caller is
 * known on every door, which is after validation.
 */
export function useIntrospectionPolicy(policy: Introspection): Plugin<Context> {
  return {
    onExecute({ args, setResultAndStopExecution }) {
      const { caller } = args.contextValue;
      const mayAsk =
        policy === 'everyone' || (policy === 'authenticated' && caller.isAuthenticated);
      if (mayAsk) return;
      const errors = validate(args.schema, args.document, [
        NoSchemaIntrospectionCustomRule,
        noServiceRule,
      ]);
      if (errors.length > 0) {
        setResultAndStopExecution({ errors: errors.map(({ message }) => refusal(message)) });
      }
    },
  };
}

function noServiceRule(context: ValidationContext): ASTVisitor {
  return {
    Field: (node) => {
      if (node.name.value === '_service') {
        context.reportError(new GraphQLError('The schema of this subgraph is not told.'));
      }
    },
  };
}

function refusal(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'INTROSPECTION_REFUSED' } });
}
