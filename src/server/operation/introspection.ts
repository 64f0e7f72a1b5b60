import type { Plugin } from '@envelop/core';
import {
  type ASTVisitor,
  GraphQLError,
  NoSchemaIntrospectionCustomRule,
  type ValidationContext,
  validate,
} from 'graphql';
import type { Context } from '../../graphql/context.ts';
import { refuse, refused } from './request-error.ts';

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
        const refusals = errors.map(({ message }) => refuse('INTROSPECTION_REFUSED', message));
        setResultAndStopExecution(refused(refusals));
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
