import { mapAsyncIterator, type Plugin } from '@envelop/core';
import { initContextCache } from '@pothos/core';
import { createSourceEventStream, type ExecutionArgs, execute, GraphQLError } from 'graphql';
import type { Progress } from '../../domains/lipsyncs/service.ts';
import type { Context } from '../../graphql/context.ts';

/**
 * The log's place of a result, for transports that tell it beside the result, whatever the client selected. As a symbol
 * it is not told as JSON, and stays with the copies that are made on the way out, as for masked errors.
 */
const place = Symbol('place in the log');

export function cursorOf(result: object): string | undefined {
  return (result as { [place]?: string })[place];
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
        const source = await subscribeTo(args);
        if (!(Symbol.asyncIterator in source)) return source;
        return mapAsyncIterator(source as AsyncIterable<unknown>, async (event) => {
          const contextValue: Context = { ...context, ...initContextCache() };
          const result = await execute({ ...args, rootValue: event, contextValue });
          if (isProgress(event)) Object.assign(result, { [place]: event.cursor });
          return result;
        });
      });
    },
  };
}

/** What graphql-js throws here instead of telling it would reach graphql-sse's caller with its stack. */
async function subscribeTo(args: ExecutionArgs) {
  try {
    return await createSourceEventStream(args);
  } catch (thrown) {
    const originalError = thrown instanceof Error ? thrown : new Error(String(thrown));
    return { errors: [new GraphQLError(originalError.message, { originalError })] };
  }
}

function isProgress(event: unknown): event is Progress {
  return typeof event === 'object' && event !== null && 'cursor' in event && 'lipsync' in event;
}
