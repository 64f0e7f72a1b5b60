import { mapAsyncIterator, type Plugin } from '@envelop/core';
import { initContextCache } from '@pothos/core';
import { createSourceEventStream, type ExecutionArgs, execute } from 'graphql';
import type { Progress } from '../domains/lipsyncs/service.ts';
import type { Context } from '../graphql/context.ts';

/** The log's place of each result, for transports that tell it beside the result, whatever the client selected. */
const cursors = new WeakMap<object, string>();

export function cursorOf(result: object): string | undefined {
  return cursors.get(result);
}

/**
 * Executes each event of a subscription with a context of its own: loaders remember what they loaded for as long as
 * their context lives, and would show the first value for ever.
 */
export function useFreshContextPerEvent(): Plugin<Context> {
  return {
    onSubscribe({ setSubscribeFn }) {
      setSubscribeFn(async (args: ExecutionArgs) => {
        const context = args.contextValue as Context;
        const source = await createSourceEventStream(args);
        if (!(Symbol.asyncIterator in source)) return source;
        return mapAsyncIterator(source as AsyncIterable<unknown>, async (event) => {
          const contextValue: Context = { ...context, ...initContextCache() };
          const result = await execute({ ...args, rootValue: event, contextValue });
          if (isProgress(event)) {
            cursors.set(result, contextValue.services.lipsyncs.cursorOf(event.event));
          }
          return result;
        });
      });
    },
  };
}

function isProgress(event: unknown): event is Progress {
  return typeof event === 'object' && event !== null && 'event' in event && 'lipsync' in event;
}
