import { OperationTypeNode } from 'graphql';
import type { Meter, OperationType } from '../metrics/meter.ts';
import { isRejected, type Prepare } from './operation/prepare.ts';
import { isRejectedResult } from './operation/request-error.ts';
import type { Run } from './operation/run.ts';

const types: Record<OperationTypeNode, OperationType> = {
  [OperationTypeNode.QUERY]: 'query',
  [OperationTypeNode.MUTATION]: 'mutation',
  [OperationTypeNode.SUBSCRIPTION]: 'subscription',
};

/** Counts the documents that are rejected. The others are counted by `measureRun`. */
export function measurePrepare(meter: Meter, prepare: Prepare): Prepare {
  return (query, operationName) => {
    const prepared = prepare(query, operationName);
    if (isRejected(prepared)) {
      const type = prepared.operation === null ? 'unknown' : types[prepared.operation.operation];
      meter.count('graphql_operations_total', { type, result: 'rejected' });
    }
    return prepared;
  };
}

/** A failure that is a member of a union is an answer, and no error. */
export function measureRun(meter: Meter, run: Run): Run {
  return async (operation, input) => {
    const startedAt = performance.now();
    const result = await run(operation, input);
    const type = types[operation.operation.operation];
    const hasErrors = 'errors' in result && result.errors !== undefined;
    const answered = hasErrors ? 'errors' : 'ok';
    meter.count('graphql_operations_total', {
      type,
      result: isRejectedResult(result) ? 'rejected' : answered,
    });
    meter.time('graphql_operation_seconds', { type }, (performance.now() - startedAt) / 1_000);
    return result;
  };
}
