import { createSourceEventStream, type ExecutionArgs, type ExecutionResult } from 'graphql';
import type { Context } from '../../graphql/context.ts';
import type { LiveEvents } from '../../live-events.ts';
import type { Meter } from '../../metrics/meter.ts';
import type { Sessions } from '../auth/sessions.ts';
import { type ChargeNext, PayloadStream, type SettleFirst } from './payload-stream.ts';
import { type ExecuteEvent, SharedExecutions } from './shared-execution.ts';

export type Subscriptions = ReturnType<typeof createSubscriptions>;

type Execution = {
  executeEvent: ExecuteEvent;
  /** Masks the errors of the field that opens the subscription. */
  finish: (result: ExecutionResult) => ExecutionResult;
  /** Settles the cost with the first result. */
  settleFirst: SettleFirst;
  chargeNext: ChargeNext;
};

/**
 * Opens subscriptions that have passed every policy. Subscribers that differ only in where they start share the execution
 * and the serialisation of each event; subscribers of different owners share nothing.
 */
export function createSubscriptions({
  sessions,
  meter,
}: {
  sessions: Pick<Sessions, 'isExpired'>;
  meter: Meter;
}) {
  const executions = new SharedExecutions();
  const isExpired = ({ caller }: Context) => sessions.isExpired(caller);

  return {
    /** @returns the stream, or the errors of the field that opens it */
    async open(
      args: ExecutionArgs,
      { executeEvent, finish, settleFirst, chargeNext }: Execution,
    ): Promise<PayloadStream | ExecutionResult> {
      const openedAt = performance.now();
      const source = await createSourceEventStream(args);
      if (!(Symbol.asyncIterator in source)) return finish(source);
      if (!('take' in source)) throw new Error('The source of a subscription must be LiveEvents.');
      const events = source as LiveEvents<object>;
      const measureFirst: SettleFirst = (result) => {
        const seconds = (performance.now() - openedAt) / 1_000;
        meter.time('lipsync_first_event_seconds', {}, seconds);
        return settleFirst(result);
      };
      const settling = { settleFirst: measureFirst, chargeNext };
      return new PayloadStream({ events, args, executeEvent, executions, ...settling, isExpired });
    },
  };
}
