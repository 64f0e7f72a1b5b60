import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Meter } from '../../metrics/meter.ts';
import type { Sessions } from '../auth/sessions.ts';
import { createJsonDoor } from '../json/door.ts';
import { measurePrepare, measureRun } from '../measure-operations.ts';
import { OperationSlots } from '../operation-slots.ts';
import { createSubscriptions } from '../subscriptions/open.ts';
import type { createFetchDoor, FetchDoorParts } from './fetch-door.ts';
import type { Introspection } from './introspection.ts';
import { createPreparer, type Prepare } from './prepare.ts';
import { createRunner, type Run } from './run.ts';

export type PipelineOptions = Omit<FetchDoorParts, 'prepare' | 'run' | 'slots'> & {
  sessions: Pick<Sessions, 'signIn' | 'isExpired'>;
  introspection: Introspection;
  meter: Meter;
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
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
};

/**
 * The one pipeline of all transports: `prepare` has the policies that depend on the document alone, and `run` those that
 * depend on the caller and the variables too.
 */
export function createPipeline(options: PipelineOptions): Pipeline {
  const { schema, introspection, trustedDocuments, meter } = options;
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
  const run = measureRun(meter, createRunner({ introspection, subscriptions }));
  const slots = new OperationSlots(options.maxOperations);
  const parts = { ...options, prepare, run, slots };
  const answerJson = createJsonDoor(parts);
  let fetchDoor: Promise<ReturnType<typeof createFetchDoor>> | undefined;
  return {
    prepare,
    prepareOwn,
    run,
    slots,
    async handle(request, response) {
      if (await answerJson(request, response)) return;
      // Yoga is a third of all modules, and most processes answer queries before they need it.
      fetchDoor ??= import('./fetch-door.ts').then((module) => module.createFetchDoor(parts));
      await (await fetchDoor).handle(request, response);
    },
  };
}
