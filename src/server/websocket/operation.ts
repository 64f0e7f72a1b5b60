import { randomUUID } from 'node:crypto';
import { initContextCache } from '@pothos/core';
import {
  type ExecutionArgs,
  type ExecutionResult,
  type GraphQLError,
  getOperationAST,
  OperationTypeNode,
} from 'graphql';
import type { SubscribePayload } from 'graphql-ws';
import { NotAuthenticatedError } from '../../errors.ts';
import type { Context } from '../../graphql/context.ts';
import type { Log } from '../../log.ts';
import { mask } from '../operation/masking.ts';
import type { Yoga } from '../operation/pipeline.ts';
import { isRefused, withoutHttp } from '../operation/request-error.ts';
import { checkParams, mostRequestBytes, noBatches, tooLarge } from '../operation/request-params.ts';
import {
  documentIdOf,
  resolveDocument,
  type TrustedDocuments,
} from '../operation/trusted-documents.ts';

/** graphql-ws passes on as the root value what was executed already. */
export type Executed = ExecutionArgs & { rootValue: ExecutionResult };

type Parts = { yoga: Yoga; trustedDocuments: TrustedDocuments; log: Log };

const batches = new WeakSet<object>();

/**
 * graphql-ws closes the socket, with all that runs on it, over a payload without a query. One that names its document
 * has none, and a batch is refused as on the other doors.
 */
export function admitPayload(payload: unknown, documents: TrustedDocuments): unknown {
  if (Array.isArray(payload)) {
    const empty = { query: '' };
    batches.add(empty);
    return empty;
  }
  const isNamed = documents !== null && documentIdOf(payload) !== undefined;
  return isNamed ? { query: '', ...(payload as object) } : payload;
}

/**
 * What the operation came to, or why it is refused: that is an `error` message, which graphql-ws sends for nothing that
 * its own execution says. Each operation has a request id and loaders of its own.
 */
export async function executePayload(
  parts: Parts,
  payload: SubscribePayload,
  connected: Context | undefined,
): Promise<Executed | readonly GraphQLError[]> {
  if (connected === undefined) return [mask(new NotAuthenticatedError(), parts.log)];
  const connection = { ...connected, ...initContextCache(), requestId: randomUUID() };
  try {
    const params = resolveDocument(payload, parts.trustedDocuments);
    const refusal = refusePayload(payload, params);
    if (refusal !== undefined) return [refusal];
    const executed = await execute(
      parts.yoga.getEnveloped({ connection, params } as never),
      params,
    );
    if (Array.isArray(executed)) return withoutHttp(executed);
    const { rootValue } = executed as Executed;
    return isRefused(rootValue) ? withoutHttp(rootValue.errors) : (executed as Executed);
  } catch (error) {
    return withoutHttp([mask(error, parts.log, connection.requestId)]);
  }
}

function refusePayload(payload: SubscribePayload, params: object): GraphQLError | undefined {
  if (batches.has(payload)) return noBatches();
  if (Buffer.byteLength(JSON.stringify(payload)) > mostRequestBytes) return tooLarge();
  return checkParams(params);
}

async function execute(
  enveloped: ReturnType<Yoga['getEnveloped']>,
  { query, operationName, variables }: SubscribePayload,
): Promise<Executed | readonly GraphQLError[]> {
  const { schema } = enveloped;
  const document = enveloped.parse(query);
  const errors = enveloped.validate(schema, document);
  if (errors.length > 0) return errors;
  const args = {
    schema,
    document,
    operationName,
    variableValues: variables,
    contextValue: await enveloped.contextFactory(),
  };
  const isStream =
    getOperationAST(document, operationName)?.operation === OperationTypeNode.SUBSCRIPTION;
  const run = isStream ? enveloped.subscribe : enveloped.execute;
  return { ...args, rootValue: await run(args) };
}
