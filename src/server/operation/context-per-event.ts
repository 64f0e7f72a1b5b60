import { isAsyncIterable, mapAsyncIterator, type PromiseOrValue } from '@envelop/core';
import { initContextCache } from '@pothos/core';
import { createSourceEventStream, type ExecutionArgs, type ExecutionResult } from 'graphql';
import type { Progress } from '../../domains/lipsyncs/service.ts';
import type { Context } from '../../graphql/context.ts';

/**
 * The key under which a result carries the cursor of its event, so that event streams send it as `id:` whether or not the
 * client selected it. A symbol is not serialised to JSON, and is copied with the result when errors are masked.
 */
const cursorKey = Symbol('cursor');

export function cursorOf(result: object): string | undefined {
  return (result as { [cursorKey]?: string })[cursorKey];
}

type ExecuteEvent = (event: unknown, context: Context) => PromiseOrValue<ExecutionResult>;

/**
 * Executes each event of a subscription with a new context. Loaders cache for the lifetime of their context: with one
 * context for the whole subscription every event would show the first value.
 *
 * @param executeEvent with the event as the root value
 * @returns the results, or the errors for which there are none
 */
export async function subscribePerEvent(
  args: ExecutionArgs,
  executeEvent: ExecuteEvent,
): Promise<AsyncIterable<ExecutionResult> | ExecutionResult> {
  const context = args.contextValue as Context;
  const source = await createSourceEventStream(args);
  if (!isAsyncIterable(source)) return source as ExecutionResult;
  return mapAsyncIterator(source as AsyncIterable<unknown>, async (event) => {
    const result = await executeEvent(event, { ...context, ...initContextCache() });
    if (isProgress(event)) Object.assign(result, { [cursorKey]: event.cursor });
    return result;
  });
}

function isProgress(event: unknown): event is Progress {
  return typeof event === 'object' && event !== null && 'cursor' in event && 'lipsync' in event;
}
