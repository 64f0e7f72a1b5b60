import { createClient } from 'graphql-ws';
import { z } from 'zod';
import { DemoFailure, reasonOf } from './failure.ts';
import type { DemoServer } from './server.ts';

/** What a caller asks for of every failure: any `LipsyncError` has these. */
export const onFailure = '... on LipsyncError { code message retryAfterSeconds }';

const failureShape = z.object({
  code: z.string(),
  message: z.string(),
  retryAfterSeconds: z.number().nullable(),
});

export type TypedFailure = z.infer<typeof failureShape>;

const resultShape = z.object({
  data: z.object({ answer: z.unknown() }).nullish(),
  errors: z.array(z.object({ message: z.string() })).optional(),
});

/** Both ask a document whose only field is called `answer`, and throw a DemoFailure for anything but the shape. */
export type Client = {
  ask<T>(document: string, variables: object, shape: z.ZodType<T>): Promise<T>;
  /** Ends with the subscription. A connection that breaks is made again. */
  watch<T>(document: string, variables: object, shape: z.ZodType<T>): AsyncGenerator<T>;
};

export function connect(server: DemoServer, signal: AbortSignal): Client {
  const { authorization } = server;
  const url = `${server.url}/graphql`;
  return {
    async ask(query, variables, shape) {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization },
        body: JSON.stringify({ query, variables }),
        signal,
      }).catch((error: unknown) => {
        signal.throwIfAborted();
        throw new DemoFailure(`The server does not answer: ${reasonOf(error)}`);
      });
      return read(await response.json(), shape);
    },
    async *watch(query, variables, shape) {
      const socket = createClient({
        url: url.replace(/^http/, 'ws'),
        connectionParams: { authorization },
      });
      const results = socket.iterate({ query, variables: { ...variables } });
      const leave = () => void results.return?.();
      signal.addEventListener('abort', leave, { once: true });
      try {
        for await (const result of results) yield read(result, shape);
        signal.throwIfAborted();
      } finally {
        signal.removeEventListener('abort', leave);
        await socket.dispose();
      }
    },
  };
}

/** The wanted shape goes first: `OutcomeUnknownError` is a failure that brings a lip-sync to watch. */
function read<T>(result: unknown, shape: z.ZodType<T>): T {
  const { data, errors } = resultShape.parse(result);
  const wanted = shape.safeParse(data?.answer);
  if (wanted.success) return wanted.data;
  const failure = failureShape.safeParse(data?.answer);
  if (failure.success) throw new DemoFailure(wordsOf(failure.data));
  throw new DemoFailure(errors?.[0]?.message ?? 'The server gave an unexpected answer.');
}

export function wordsOf({ code, message, retryAfterSeconds }: TypedFailure): string {
  const again = retryAfterSeconds === null ? '' : ` Try again in ${retryAfterSeconds} s.`;
  return `${message} [${code}]${again}`;
}
