import {
  type ASTVisitor,
  GraphQLError,
  NoSchemaIntrospectionCustomRule,
  type ValidationContext,
  validate,
} from 'graphql';
import type { PipelinePlugin } from './plugin.ts';
import { rejectedResult, requestError } from './request-error.ts';

/** The callers that are allowed to read the schema. */
export type Introspection = 'everyone' | 'authenticated' | 'none';

/**
 * Restricts `__schema`, `__type` and the subgraph's `_service`. It runs before execution and not in validation, because
 * the caller is known only then.
 */
export function useIntrospectionPolicy(policy: Introspection): PipelinePlugin {
  return {
    onExecute({ args, setResultAndStopExecution }) {
      const { caller } = args.contextValue;
      const isAllowed =
        policy === 'everyone' || (policy === 'authenticated' && caller.isAuthenticated);
      if (isAllowed) return;
      const errors = validate(args.schema, args.document, [
        NoSchemaIntrospectionCustomRule,
        noServiceRule,
      ]);
      if (errors.length > 0) {
        const refusals = errors.map(({ message }) =>
          requestError('INTROSPECTION_REFUSED', message),
        );
        setResultAndStopExecution(rejectedResult(refusals));
      }
    },
  };
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
