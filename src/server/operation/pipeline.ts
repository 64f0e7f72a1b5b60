import type { IncomingMessage } from 'node:http';
import { chain, type MaybePromise } from '../../graphql/execution/maybe-promise.ts';
import type { Meter } from '../../metrics/meter.ts';
import type { Tracer } from '../../tracing/tracer.ts';
import type { Sessions } from '../auth/sessions.ts';
import type { HttpResponse } from '../http/response.ts';
import { createJsonHandler } from '../json/handler.ts';
import { measurePrepare, measureRun } from '../measure-operations.ts';
import { OperationSlots } from '../operation-slots.ts';
import { createSubscriptions } from '../subscriptions/open.ts';
import { traceRun } from '../trace-operations.ts';
import type { createFetchHandler, FetchHandlerParts } from './fetch-handler.ts';
import type { Introspection } from './introspection.ts';
import { createPreparer, type Prepare } from './prepare.ts';
import { createRunner, type Run } from './run.ts';

export type PipelineOptions = Omit<FetchHandlerParts, 'prepare' | 'run' | 'slots'> & {
  sessions: Pick<Sessions, 'signIn' | 'isExpired'>;
  introspection: Introspection;
  meter: Meter;
  tracer: Tracer;
  /** Default: the number in `OperationSlots`. */
  maxOperations?: number | undefined;
};

export type Pipeline = {
  prepare: Prepare;
  /** Prepares documents of this server's own, such as those of its tools, which need not be in `TRUSTED_DOCUMENTS`. */
  prepareOwn: Prepare;
  run: Run;
  /** Of queries and mutations, over all transports. */
  slots: OperationSlots;
  /** Answers a request to `/graphql`. */
  handle(request: IncomingMessage, response: HttpResponse): MaybePromise<void>;
};

/**
 * The one pipeline of all transports: `prepare` has the policies that depend on the document alone, and `run` those that
 * depend on the caller and the variables too.
 */
export function createPipeline(options: PipelineOptions): Pipeline {
  const { schema, introspection, trustedDocuments, meter, tracer } = options;
  const hasSuggestions = introspection === 'everyone';
  const prepare = measurePrepare(
    meter,
    createPreparer({ schema, trustedDocuments, hasSuggestions }),
  );
  const prepareOwn = measurePrepare(
    meter,
    createPreparer({ schema, trustedDocuments: null, hasSuggestions }),
  );
  const subscriptions = createSubscriptions(options);
  const run = traceRun(tracer, measureRun(meter, createRunner({ introspection, subscriptions })));
  const slots = new OperationSlots(options.maxOperations);
  const parts = { ...options, prepare, run, slots };
  const answerJson = createJsonHandler(parts);
  let fetchHandler: Promise<ReturnType<typeof createFetchHandler>> | undefined;
  async function answerByFetch(request: IncomingMessage, response: HttpResponse): Promise<void> {
    // Yoga is a third of all modules, and most processes answer queries before they need it.
    fetchHandler ??= import('./fetch-handler.ts').then((module) =>
      module.createFetchHandler(parts),
    );
    await (await fetchHandler).handle(request, response);
  }
  return {
    prepare,
    prepareOwn,
    run,
    slots,
    handle: (request, response) =>
      chain(answerJson(request, response), (isAnswered) =>
        isAnswered ? undefined : answerByFetch(request, response),
      ),
  };
}
