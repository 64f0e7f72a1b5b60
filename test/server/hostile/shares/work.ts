import { once } from 'node:events';
import { type IncomingMessage, request as sendRequest } from 'node:http';
import { text } from 'node:stream/consumers';
import { createStreamCounter } from '../../../../src/domains/quotas/streams.ts';
import type { LiveEvents } from '../../../../src/live-events.ts';
import { openUploadHarness, wav } from '../../../domains/uploads/upload-harness.ts';
import { openReceiver } from '../../../domains/webhooks/webhook-receiver.ts';
import { isFinished, startWebhooks } from '../../../domains/webhooks/webhook-service.ts';
import { silentLog, testDatabase } from '../../../support/database.ts';
import { startLipsyncApp } from '../../../support/lipsync-app.ts';
import { createLipsync, withHeaders } from '../../../support/lipsyncs.ts';
import { held, type Owner, owners, type Share } from './share.ts';

/** A source without events. */
const silentSource: LiveEvents<never> = {
  take: () => 'none',
  onReady: () => undefined,
  next: () => new Promise(() => undefined),
  async return() {
    return { done: true, value: undefined };
  },
  [Symbol.asyncIterator]() {
    return this;
  },
};

const openStreams: Share = {
  resource: 'open subscriptions of a process',
  countedIn: 'src/domains/quotas/streams.ts',
  size: 4,
  answer: { code: 'QUOTA_EXCEEDED', retryable: true },
  async open(onEnd) {
    const db = await testDatabase();
    onEnd(() => db.close());
    const counter = createStreamCounter({
      ...{ db, log: silentLog, limit: null, max: 8 },
      now: () => new Date(),
    });
    onEnd(counter.stop);
    const { signal } = new AbortController();
    return (owner) =>
      counter.hold(`key:${owner}`, silentSource, signal).then(
        () => held,
        ({ code, retryable }) => ({ code, retryable }),
      );
  },
};

const progress = `subscription ($id: ID!) { lipsyncProgress(id: $id) {
  __typename ... on LipsyncError { code retryable } } }`;

/** Subscriptions with `STREAMS_PER_CALLER`, by a transport. */
function subscriptions(transport: 'WebSocket' | 'event stream'): Share {
  return {
    resource: `subscriptions by ${transport}`,
    countedIn: 'src/domains/quotas/streams.ts',
    size: 4,
    answer: { __typename: 'QuotaExceededError', code: 'QUOTA_EXCEEDED', retryable: true },
    async open(onEnd) {
      const app = await startLipsyncApp({ env: { ...owners.env, STREAMS_PER_CALLER: '4' } });
      onEnd(app.stop);
      const [video = ''] = await app.listVideoIds(undefined, owners.headers.ann);
      const create = (owner: Owner) =>
        createLipsync(withHeaders(app, owners.headers[owner]), {
          video: { videoId: video },
          text: '[[never]] Quiet.',
        });
      const ids = { ann: (await create('ann')).id, bob: (await create('bob')).id };
      return async (owner) => {
        const variables = { id: ids[owner] };
        const options = { headers: owners.headers[owner] };
        const stream =
          transport === 'WebSocket'
            ? app.watchWs(progress, variables, options)
            : app.watchSse(progress, variables, options);
        const { value } = await stream.next();
        const result = value !== undefined && 'id' in value ? value.data : value;
        const event = result?.data?.lipsyncProgress as { __typename: string };
        if (event.__typename !== 'LipsyncProgress') return event;
        onEnd(() => void stream.return(undefined));
        return held;
      };
    },
  };
}

const waitingPlaces: Share = {
  resource: 'waiting lip-syncs',
  countedIn: 'src/domains/lipsyncs/create/admit.ts',
  // Three are sent, and two of the four places are half.
  size: 5,
  answer: { __typename: 'QueueFullError', code: 'QUEUE_FULL', retryable: true },
  async open(onEnd) {
    const app = await startLipsyncApp({ env: { ...owners.env, QUEUE_LIMIT: '4' } });
    onEnd(app.stop);
    const [video = ''] = await app.listVideoIds(undefined, owners.headers.ann);
    const speech = { script: { text: '[[never]] Quiet.' } };
    return async (owner) => {
      const input = { video: { videoId: video }, speech };
      const { __typename, code, retryable } = await app.create(input, owners.headers[owner]);
      return __typename === 'CreateLipsyncSuccess' ? held : { __typename, code, retryable };
    };
  },
};

const uploads: Share = {
  resource: 'uploads',
  countedIn: 'src/domains/uploads/service.ts',
  size: 4,
  answer: { status: 429, code: 'QUOTA_EXCEEDED' },
  async open(onEnd) {
    const harness = await openUploadHarness({ concurrency: { all: 8, perOwner: 6 } });
    onEnd(harness.close);
    const sound = wav(1);
    return async (owner) => {
      const input = { kind: 'AUDIO', contentType: 'audio/wav', size: sound.byteLength } as const;
      const { upload, uploadUrl } = await harness.create(input, `key:${owner}`);
      const headers = { 'content-length': sound.byteLength };
      const request = sendRequest(uploadUrl, { method: 'PUT', agent: false, headers });
      onEnd(() => request.destroy());
      request.on('error', () => undefined).write(sound.subarray(0, 8_000));
      let answer: unknown = null;
      once(request, 'response').then(
        async ([response]: IncomingMessage[]) => {
          const body = JSON.parse(response === undefined ? '' : await text(response));
          answer = { status: response?.statusCode, code: body.code };
        },
        () => undefined,
      );
      for (;;) {
        const found = await harness.find(upload.id, `key:${owner}`);
        if (found?.state === 'RECEIVING') return held;
        if (answer !== null) return answer;
        await new Promise(setImmediate);
      }
    };
  },
};

const webhookAttempts: Share = {
  resource: 'attempts of webhooks',
  countedIn: 'src/domains/webhooks/dispatch.ts',
  size: 4,
  // The delivery waits for a place.
  answer: { state: 'PENDING', attempts: 0 },
  async open(onEnd) {
    const service = await startWebhooks({
      timeoutMs: 3_600_000,
      resolve: async () => [{ address: '127.0.0.1', family: 4 }],
    });
    onEnd(service.close);
    const hanging = await openReceiver(() => undefined);
    onEnd(hanging.close);
    const quick = await openReceiver();
    onEnd(quick.close);
    let hosts = 0;
    return async (owner) => {
      hosts += 1;
      const url = `http://h${hosts}.test:${hanging.port}/`;
      const change = await service.changeLipsync(url, { owner: `key:${owner}` });
      // Found by the same search, or by a later one.
      const later = await service.changeLipsync(quick.url, { owner: 'key:other' });
      await service.waitForDelivery(later, isFinished);
      const delivery = await service.findDelivery(change.owner, change.id);
      return delivery?.attempts === 1
        ? held
        : { state: delivery?.state, attempts: delivery?.attempts };
    };
  },
};

/** Shares of what the slices do for an owner. */
export const shares = [
  openStreams,
  subscriptions('WebSocket'),
  subscriptions('event stream'),
  waitingPlaces,
  uploads,
  webhookAttempts,
];
