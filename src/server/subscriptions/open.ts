import { createSourceEventStream, type ExecutionArgs, type ExecutionResult } from 'graphql';
import type { Context } from '../../graphql/context.ts';
import type { LiveEvents } from '../../live-events.ts';
import type { Log } from '../../log.ts';
import type { Sessions } from '../auth/sessions.ts';
import { maskResult } from '../operation/masking.ts';
import { PayloadStream, type SettleFirst } from './payload-stream.ts';
import { SharedExecutions } from './shared-execution.ts';

export type Subscriptions = ReturnType<typeof createSubscriptions>;

/**
 * Opens subscriptions that have passed every policy. Subscribers that differ only in where they start share the execution
 * and the serialisation of each event; subscribers of different owners share nothing.
 */
export function createSubscriptions(parts: { log: Log; sessions: Pick<Sessions, 'isExpired'> }) {
  const executions = new SharedExecutions((result, args) => maskResult(result, args, parts.log));
  const isExpired = ({ caller }: Context) => parts.sessions.isExpired(caller);

  return {
    /**
     * @param settleFirst settles the cost with the first result; null: nothing is settled
     * @returns the stream, or errors of the field that opens it, which are not masked
     */
    async open(
      args: ExecutionArgs,
      settleFirst: SettleFirst | null,
    ): Promise<PayloadStream | ExecutionResult> {
      const source = await createSourceEventStream(args);
      if (!(Symbol.asyncIterator in source)) return source;
      if (!('take' in source)) throw new Error('The source of a subscription must be LiveEvents.');
      const events = source as LiveEvents<object>;
      return new PayloadStream({ events, args, executions, settleFirst, isExpired });
    },
  };
}
