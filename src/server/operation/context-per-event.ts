import { mapAsyncIterator } from '@envelop/core';
import { initContextCache } from '@pothos/core';
import { createSourceEventStream, type ExecutionArgs, execute } from 'graphql';
import type { Progress } from '../../domains/lipsyncs/service.ts';
import type { Context } from '../../graphql/context.ts';
import type { PipelinePlugin } from './plugin.ts';

/**
 * The key under which a result carries the cursor of its event, so that event streams send it as `id:` whether or not the
 * client selected it. A symbol is not serialised to JSON, and is copied with the result when errors are masked.
 */
const cursorKey = Symbol('cursor');

export function cursorOf(result: object): string | undefined {
  return (result as { [cursorKey]?: string })[cursorKey];
}

/**
 * Executes each event of a subscription with a new context. Loaders cache for the lifetime of their context: with one
 * context for the whole subscription every event would show the first value.
 */
export function useContextPerEvent(): PipelinePlugin {
  return {
    onSubscribe({ setSubscribeFn }) {
      setSubscribeFn(async (args: ExecutionArgs) => {
        const context = args.contextValue as Context;
        const source = await createSourceEventStream(args);
        if (!(Symbol.asyncIterator in source)) return source;
        return mapAsyncIterator(source as AsyncIterable<unknown>, async (event) => {
          const contextValue: Context = { ...context, ...initContextCache() };
          const result = await execute({ ...args, rootValue: event, contextValue });
          if (isProgress(event)) Object.assign(result, { [cursorKey]: event.cursor });
          return result;
        });
      });
    },
  };
}

function isProgress(event: unknown): event is Progress {
  return typeof event === 'object' && event !== null && 'cursor' in event && 'lipsync' in event;
}
