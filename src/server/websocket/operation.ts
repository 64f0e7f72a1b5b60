import { initContextCache } from '@pothos/core';
import type { ExecutionArgs, GraphQLError } from 'graphql';
import type { SubscribePayload } from 'graphql-ws';
import { NotAuthenticatedError } from '../../errors.ts';
import type { Context } from '../../graphql/context.ts';
import type { Log } from '../../log.ts';
import { readTraceContext, type TraceContext } from '../../tracing/tracer.ts';
import { maskError } from '../operation/masking.ts';
import type { Pipeline } from '../operation/pipeline.ts';
import { isRejected } from '../operation/prepare.ts';
import { isRejectedResult, stripHttpExtension } from '../operation/request-error.ts';
import { batchingError, checkParams } from '../operation/request-params.ts';
import type { RunResult } from '../operation/run.ts';
import {
  documentIdOf,
  resolveDocument,
  type TrustedDocuments,
} from '../operation/trusted-documents.ts';
import { runInSlot } from '../operation-slots.ts';
import { newRequestId } from '../request-id.ts';

/** An operation that the pipeline has executed. graphql-ws passes the result on as the root value. */
export type ExecutedOperation = ExecutionArgs & { rootValue: RunResult };

type Parts = { pipeline: Pipeline; trustedDocuments: TrustedDocuments; log: Log };

const rejections = new WeakMap<object, GraphQLError>();

/**
 * A payload that graphql-ws accepts, in the place of one that is rejected with this error. graphql-ws would close the socket
 * instead, with every operation on it.
 */
export function rejectedPayload(error: GraphQLError): SubscribePayload {
  const payload = { query: '' };
  rejections.set(payload, error);
  return payload;
}

/**
 * Adds an empty query to payloads that have none: graphql-ws would close the socket, with every operation on it. A payload
 * with a document id has no query, and a batch is rejected with the same error as on the other transports.
 */
export function addEmptyQuery(payload: unknown, documents: TrustedDocuments): unknown {
  if (Array.isArray(payload)) return rejectedPayload(batchingError());
  const isNamed = documentIdOf(payload) !== undefined;
  if (!isNamed) return payload;
  if (documents !== null) return { query: '', ...(payload as object) };
  const error = 'query' in (payload as object) ? undefined : checkParams(payload as object);
  return error === undefined ? payload : rejectedPayload(error);
}

/** The trace of the caller, from the `extensions` of an operation or the payload of `connection_init`: pages can't set headers. */
export function traceIn(values: Record<string, unknown> | null | undefined): TraceContext | null {
  return readTraceContext(values?.traceparent, values?.tracestate);
}

/**
 * Executes an operation, or returns the errors that reject it: graphql-ws sends those as an `error` message, which it does
 * not do for errors of its own execution. Each operation has its own request id and its own loaders.
 */
export async function executePayload(
  parts: Parts,
  payload: SubscribePayload,
  connectionContext: Context | undefined,
): Promise<ExecutedOperation | readonly GraphQLError[]> {
  const executed = await execute(parts, payload, connectionContext);
  return 'rootValue' in executed ? executed : stripHttpExtension(executed);
}

async function execute(
  parts: Parts,
  payload: SubscribePayload,
  connectionContext: Context | undefined,
): Promise<ExecutedOperation | readonly GraphQLError[]> {
  if (connectionContext === undefined) return [maskError(new NotAuthenticatedError(), parts.log)];
  const context = {
    ...connectionContext,
    ...initContextCache(),
    requestId: newRequestId(),
    trace: traceIn(payload.extensions) ?? connectionContext.trace,
  };
  try {
    const params = resolveDocument(payload, parts.trustedDocuments);
    const error = rejections.get(payload) ?? checkParams(params);
    if (error !== undefined) return [error];
    const { query, operationName, variables } = params;
    const prepared = parts.pipeline.prepare(query, operationName);
    if (isRejected(prepared)) return prepared.errors;
    const rootValue = await runInSlot(parts.pipeline, prepared, { variables, context });
    if (isRejectedResult(rootValue)) return rootValue.errors;
    const { schema, document } = prepared;
    return { schema, document, operationName, variableValues: variables, rootValue };
  } catch (error) {
    return [maskError(error, parts.log, context)];
  }
}
