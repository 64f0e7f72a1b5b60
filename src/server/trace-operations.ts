import { Kind } from 'graphql';
import type { Tracer } from '../tracing/tracer.ts';
import type { PreparedOperation } from './operation/prepared-operation.ts';
import { isRejectedResult } from './operation/request-error.ts';
import type { Run } from './operation/run.ts';

/**
 * Runs each operation in a span, which continues the trace of its caller. The span of a subscription ends once the
 * subscription is open.
 */
export function traceRun(tracer: Tracer, run: Run): Run {
  if (!tracer.isOn) return run;
  return (operation, input) => {
    const { trace, requestId } = input.context;
    const options = {
      kind: 'server',
      caller: trace,
      attributes: {
        'graphql.operation.type': operation.operation.operation,
        'request.id': requestId,
      },
    } as const;
    return tracer.run(nameOf(operation), options, async (span) => {
      const result = await run(operation, input);
      const errors = 'errors' in result ? result.errors : undefined;
      const code = errors?.[0]?.extensions?.code;
      if (errors !== undefined) span.fail(typeof code === 'string' ? code : unknownCode(result));
      return result;
    });
  };
}

function unknownCode(result: object): string {
  return isRejectedResult(result) ? 'BAD_USER_INPUT' : 'INTERNAL_SERVER_ERROR';
}

/** The type and the first field, which is a name of the schema. The name of the operation was chosen by the caller. */
function nameOf({ operation }: PreparedOperation): string {
  const [first] = operation.selectionSet.selections;
  const field = first?.kind === Kind.FIELD ? first.name.value : '…';
  return `${operation.operation} ${field}`;
}
