import { type Plugin as EnvelopPlugin, isAsyncIterable, mapAsyncIterator } from '@envelop/core';
import {
  BREAK,
  type ExecutionArgs,
  type GraphQLError,
  getDirectiveValues,
  getOperationAST,
  getVariableValues,
  type execute as graphqlExecute,
  visit,
} from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { Context } from '../graphql/context.ts';
import { isIncremental, streamDirective } from '../graphql/incremental.ts';
import type { Part } from './parts.ts';
import { refuse, refused } from './refusal.ts';

/**
 * The forms of a part. `v0.1` is that of Apollo Client's `Defer20220824Handler`, urql and GraphiQL, `v0.2` that of
 * graphql-js 17 and Apollo Client's `GraphQL17Alpha9Handler`.
 */
type Form = 'v0.1' | 'v0.2';

/**
 * Answers `@defer` and `@stream` in parts, to who accepts `multipart/mixed`. For everybody else, and on every other door,
 * graphql-js executes the document: it passes over the directives, which the specification allows, and all comes at once.
 *
 * graphql-js 16 can't, so that the one of graphql-tools does it here. What is held before and behind is held all the
 * same, since both run at the same place in the pipeline.
 */
export function useIncrementalDelivery(): {
  choose: Plugin;
  tell: Plugin;
  execute: EnvelopPlugin<Context & { request?: Request }>;
} {
  const forms = new WeakMap<Request, Form>();
  return {
    choose: {
      onParams({ request }) {
        const form = formIn(request.headers.get('accept') ?? '');
        if (form !== null) forms.set(request, form);
      },
    },
    tell: {
      onResponse({ response }) {
        if (response.headers.get('content-type')?.startsWith('multipart/mixed') !== true) return;
        // A proxy that waits for more before it passes a part on would take the sense out of it.
        response.headers.set('x-accel-buffering', 'no');
      },
    },
    execute: {
      onExecute({ args, setExecuteFn, setResultAndStopExecution }) {
        const { request } = args.contextValue;
        const form = request === undefined ? undefined : forms.get(request);
        if (form === undefined || !usesParts(args)) return;
        const refusal = refuseCounts(args);
        if (refusal !== null) return setResultAndStopExecution(refused([refusal]));
        setExecuteFn(executeInParts(form) as typeof graphqlExecute);
      },
    },
  };
}

/** Null: not in parts. Whoever wants server-sent events first gets the whole of it as one. */
function formIn(accept: string): Form | null {
  const [first = '', ...others] = accept
    .toLowerCase()
    .split(',')
    .map((range) => range.trim());
  if (first.startsWith('text/event-stream')) return null;
  const multipart = [first, ...others].filter((range) => /^multipart\/mixed\s*(;|$)/.test(range));
  if (multipart.some((range) => range.includes('incrementalspec=v0.2'))) return 'v0.2';
  const isPlain = (range: string) => !/(incremental|defer)spec=/.test(range);
  return multipart.some((range) => isPlain(range) || range.includes('deferspec=20220824'))
    ? 'v0.1'
    : null;
}

/** The executor is read when it is first wanted: few ask for parts, and everybody waits for a start. */
function executeInParts(incrementalSpec: Form) {
  return async (args: ExecutionArgs) => {
    const { normalizedExecutor } = await import('@graphql-tools/executor');
    const result: unknown = await normalizedExecutor({ ...args, incrementalSpec } as Parameters<
      typeof normalizedExecutor
    >[0]);
    return isAsyncIterable<Part>(result) && incrementalSpec === 'v0.2' ? inOrder(result) : result;
  };
}

/**
 * In `v0.2` the executor tells the fields of a new item of a list before it tells the item, where both are ready at once,
 * and a client puts one after the other in its place. What is further up comes first.
 */
function inOrder(parts: AsyncIterable<Part>): AsyncIterable<Part> {
  const depths = new Map<string, number>();
  const depthOf = ({ id = '' }: { id?: string }) => depths.get(id) ?? 0;
  return mapAsyncIterator(parts, (part) => {
    for (const { id, path } of part.pending ?? []) depths.set(id, path.length);
    if (part.incremental === undefined) return part;
    const sorted = part.incremental.toSorted((one, other) => depthOf(one) - depthOf(other));
    return { ...part, incremental: sorted };
  });
}

function usesParts({ document }: ExecutionArgs): boolean {
  let isFound = false;
  visit(document, {
    Directive(node) {
      isFound = isIncremental(node);
      return isFound ? BREAK : undefined;
    },
  });
  return isFound;
}

/** The executor would take it for a fault of its own. */
function refuseCounts(args: ExecutionArgs): GraphQLError | null {
  const { schema, document, operationName, variableValues } = args;
  const definitions = getOperationAST(document, operationName)?.variableDefinitions ?? [];
  const { coerced } = getVariableValues(schema, definitions, variableValues ?? {});
  let refusal: GraphQLError | null = null;
  visit(document, {
    Field(node) {
      const given = getDirectiveValues(streamDirective, node, coerced);
      if (Number(given?.initialCount ?? 0) >= 0) return undefined;
      refusal = refuse('BAD_USER_INPUT', 'The initialCount of @stream is not negative.', [node]);
      return BREAK;
    },
  });
  return refusal;
}
