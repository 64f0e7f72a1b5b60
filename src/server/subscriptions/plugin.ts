import { settlementOf } from '../operation/cost.ts';
import type { PipelinePlugin } from '../operation/plugin.ts';
import type { Subscriptions } from './open.ts';
import { PayloadStream } from './payload-stream.ts';

/**
 * Carries a stream through Envelop, which would wrap an async iterable and so hide that it can deliver payloads by itself.
 */
export class OpenedSubscription {
  readonly stream: PayloadStream;

  constructor(stream: PayloadStream) {
    this.stream = stream;
  }
}

/** Subscribes by `createSubscriptions` on every transport. */
export function useSubscriptions(subscriptions: Subscriptions): PipelinePlugin {
  return {
    onSubscribe({ setSubscribeFn }) {
      setSubscribeFn(async (args) => {
        const opened = await subscriptions.open(args, settlementOf(args.contextValue));
        return opened instanceof PayloadStream ? new OpenedSubscription(opened) : opened;
      });
    },
    onExecutionResult({ result, setResult }) {
      if (result instanceof OpenedSubscription) setResult(result.stream);
    },
  };
}
