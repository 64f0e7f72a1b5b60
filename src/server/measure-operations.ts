import { OperationTypeNode } from 'graphql';
import { chain } from '../graphql/execution/maybe-promise.ts';
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
  const series = {
    query: openSeries(meter, 'query'),
    mutation: openSeries(meter, 'mutation'),
    subscription: openSeries(meter, 'subscription'),
  };
  return (operation, input) => {
    const startedAt = performance.now();
    return chain(run(operation, input), (result) => {
      const { ok, errors, rejected, seconds } = series[operation.operation.operation];
      const hasErrors = 'errors' in result && result.errors !== undefined;
      if (!hasErrors) ok.add();
      else if (isRejectedResult(result)) rejected.add();
      else errors.add();
      seconds.add((performance.now() - startedAt) / 1_000);
      return result;
    });
  };
}

function openSeries(meter: Meter, type: OperationType) {
  const counterOf = (result: 'ok' | 'errors' | 'rejected') =>
    meter.counter('graphql_operations_total', { type, result });
  return {
    ok: counterOf('ok'),
    errors: counterOf('errors'),
    rejected: counterOf('rejected'),
    seconds: meter.timer('graphql_operation_seconds', { type }),
  };
}
