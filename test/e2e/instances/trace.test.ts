import { afterAll, beforeAll, expect, test } from 'vitest';
import { keyOf } from '../../../src/graphql/ids.ts';
import { pageOf } from '../../docs/pages.ts';
import { openReceiver, type Receiver } from '../../domains/webhooks/webhook-receiver.ts';
import { idOf } from '../../support/lipsync-app.ts';
import { requestLipsync, withHeaders } from '../../support/lipsyncs.ts';
import { type Collector, startCollector } from '../../support/otlp-collector.ts';
import { printTree } from '../../support/trace-tree.ts';
import { openTestTracer } from '../../support/tracers.ts';
import { type Fleet, openFleet, studio } from './fleet.ts';

const ofCaller = { trace: '4bf92f3577b34da6a3ce929d0e0e4736', span: '00f067aa0ba902b7' };
const ofSubscriber = { trace: '7c1d5e0f3a2b49c8b6e4d2f1a0938475', span: 'a1b2c3d4e5f60718' };
const headerOf = ({ trace, span }: typeof ofCaller) => ({ traceparent: `00-${trace}-${span}-01` });

let collector: Collector;
let receiver: Receiver;
let fleet: Fleet;
beforeAll(async () => {
  collector = await startCollector();
  receiver = await openReceiver();
  fleet = await openFleet({
    // No poll: each change is learnt from a callback, so that every run has the same spans.
    env: { POLL_INTERVAL_MS: '600000', OUTBOUND_ALLOWED_NETWORKS: '127.0.0.1' },
    sandbox: { accounts: [{ email: studio, maxJobs: 1 }], queuedMs: 3_000, generatingMs: 600_000 },
  });
});
afterAll(async () => {
  await fleet?.stop();
  await collector?.close();
  receiver?.close();
});

/** Only what callers send begins a trace: without background work the tree is the same in every run. */
const open = () => openTestTracer(collector, { sampler: 'parentbased_always_off' });

type Watched = { lipsyncProgress: { status: string } };

test('one trace leads from the mutation on one instance to the POST, the callbacks, the webhook and the last event on another', async () => {
  const tracers = [await open(), await open()] as const;
  const first = await fleet.start({}, { tracer: tracers[0] });
  const second = await fleet.start({}, { tracer: tracers[1] });
  // It has the only slot, and its callback goes to the second instance.
  await requestLipsync(second, { text: 'Before' });
  const caller = withHeaders(first, { ...headerOf(ofCaller), 'x-request-id': 'order-17' });
  const made = await requestLipsync(caller, { text: 'Hello', callbackUrl: receiver.url });
  const id = idOf(made);
  const statuses: string[] = [];
  const events = second.watchWs<Watched>(
    'subscription ($id: ID!) { lipsyncProgress(id: $id) { ... on LipsyncProgress { status } } }',
    { id },
    { payload: headerOf(ofSubscriber) },
  );
  for await (const { data } of events) {
    const status = data?.lipsyncProgress.status ?? '';
    statuses.push(status);
    if (status === 'QUEUED') {
      await first.stop();
      await fleet.finishJobs();
    }
    if (status === 'GENERATING') await fleet.finishJobs('COMPLETED');
  }
  expect(statuses).toEqual(['QUEUED', 'SUBMITTING', 'SUBMITTED', 'GENERATING', 'COMPLETED']);
  await receiver.until(1);
  await second.stop();
  for (const tracer of tracers) await tracer.close();

  const { spans } = collector;
  const found = (name: string) => spans.filter((span) => span.name === name);
  const [create] = found('lipsync create');
  const [attempt] = found('webhook attempt');
  expect(found('lipsync stream')[0]?.links).toEqual([
    { traceId: ofCaller.trace, spanId: create?.spanId },
  ]);
  expect(receiver.received[0]?.headers.traceparent).toBe(
    `00-${ofCaller.trace}-${attempt?.spanId}-01`,
  );
  // The service gets nothing of it.
  const posts = JSON.stringify(await fleet.posts());
  expect(posts).toContain('Hello');
  expect(posts).not.toContain(ofCaller.trace);
  const life = second.logs.filter(({ lipsyncId }) => lipsyncId === keyOf('Lipsync', id));
  expect(life.length).toBeGreaterThan(3);
  for (const line of life) {
    expect(line).toMatchObject({ requestId: 'order-17', traceId: ofCaller.trace });
  }

  const instances = new Map(
    [create, attempt].map((span, at) => [
      String(span?.resource['service.instance.id']),
      `instance ${at + 1}`,
    ]),
  );
  const names = new Map([
    ...instances,
    [keyOf('Lipsync', id) ?? '', '…'],
    ...spans.flatMap(({ attributes }) =>
      ['request.id', 'account.id', 'webhook.delivery.id'].flatMap((name) =>
        attributes[name] === undefined || attributes[name] === 'order-17'
          ? []
          : [[String(attributes[name]), '…'] as const],
      ),
    ),
  ]);
  // Which lists are read for a mutation depends on what the instance has cached.
  const callbacks = new Set(found('lipsync callback').map(({ spanId }) => spanId));
  const shownSpans = spans.filter(
    ({ name, parentSpanId }) =>
      !name.startsWith('query ') && (!name.startsWith('GET ') || callbacks.has(parentSpanId)),
  );
  const printed = printTree(shownSpans, names);
  const shown = pageOf('docs/tracing.md').blocks.find(({ role }) => role === 'trace');
  expect(`${printed}\n`).toBe(shown?.text);
}, 120_000);
