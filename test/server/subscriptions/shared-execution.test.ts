import { expect, test } from 'vitest';
import { SharedExecution } from '../../../src/server/subscriptions/shared-execution.ts';

// After the last event each subscriber also gets a message that ends its subscription. Between the turns of one event these
// delayed the event for the others.
test('all subscribers receive an event before the first of them continues', async () => {
  const subscribers = 600;
  const execution = new SharedExecution('shape');
  const by = {
    args: { schema: {}, document: {}, contextValue: {} },
    executeEvent: async () => ({ data: { done: true } }),
  } as unknown as Parameters<SharedExecution['payloadOf']>[1];
  const event = {};
  const order: string[] = [];
  const { promise: allContinued, resolve } = Promise.withResolvers<void>();
  let continued = 0;
  for (let subscriber = 0; subscriber < subscribers; subscriber += 1) {
    execution.payloadOf(event, by, () => {
      order.push('received');
      return () => {
        order.push('continued');
        continued += 1;
        if (continued === subscribers) resolve();
      };
    });
  }
  await allContinued;
  expect(order.slice(0, subscribers)).toEqual(Array(subscribers).fill('received'));
  expect(order.slice(subscribers)).toEqual(Array(subscribers).fill('continued'));
});
