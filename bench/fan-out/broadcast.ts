/**
 * A minimal server for comparison: graphql-ws and graphql-js, whose subscription broadcasts one event to all subscribers.
 * `POST /publish/<id>` publishes the event of that id.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buildSchema, GraphQLObjectType } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';

const schema = buildSchema(`
  type Query { ready: Boolean! }
  type Subscription { lipsyncProgress(id: ID!): LipsyncProgressResult! }
  union LipsyncProgressResult = LipsyncProgress | NotFoundError
  type NotFoundError { message: String! }
  type LipsyncProgress {
    cursor: String! sequence: Int! status: String! percent: Float! queuePosition: Int
    occurredAt: String! source: String! failure: LipsyncError lipsync: Lipsync!
  }
  type LipsyncError { code: String! message: String! }
  type Lipsync { id: ID! status: String! reference: String text: String createdAt: String! progress: Progress! }
  type Progress { percent: Float! estimatedCompletionAt: String queuePosition: Int }
`);

type Event = Record<string, unknown>;

/** An event like one of the product, with texts of the same length. */
function eventOf(id: string, status: string): Event {
  const at = new Date().toISOString();
  const failure = { code: 'GENERATION_FAILED', message: 'The video could not be generated.' };
  const progress = { percent: 0, estimatedCompletionAt: null, queuePosition: null };
  return {
    __typename: 'LipsyncProgress',
    ...{ cursor: Buffer.from(`${id}:4`).toString('base64url'), sequence: 4, status, percent: 95 },
    ...{ queuePosition: null, occurredAt: at, source: 'CALLBACK' },
    failure: status === 'FAILED' ? failure : null,
    lipsync: { id, status, reference: 'bench', text: '[[never]] Hello.', createdAt: at, progress },
  };
}

type Result = IteratorResult<{ lipsyncProgress: Event }>;

/** The waiting subscribers of each id. */
const waiting = new Map<string, Set<(event: Event | null) => void>>();

/** The first event comes at once, as in the product, and the second when it is published. Not a generator, which could not be closed while it waits. */
function follow(id: string): AsyncIterableIterator<{ lipsyncProgress: Event }> {
  const done: Result = { done: true, value: undefined };
  const first = eventOf(id, 'GENERATING');
  const { promise, resolve } = Promise.withResolvers<Event | null>();
  const all = waiting.get(id) ?? new Set();
  waiting.set(id, all.add(resolve));
  const results: Promise<Result>[] = [
    Promise.resolve({ done: false, value: { lipsyncProgress: first } }),
    promise.then((event) =>
      event === null ? done : { done: false, value: { lipsyncProgress: event } },
    ),
  ];
  return {
    next: () => results.shift() ?? Promise.resolve(done),
    async return() {
      waiting.get(id)?.delete(resolve);
      resolve(null);
      return done;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

const subscription = schema.getSubscriptionType();
if (!(subscription instanceof GraphQLObjectType)) throw new Error('No subscription type.');
const field = subscription.getFields().lipsyncProgress;
if (field === undefined) throw new Error('No subscription field.');
field.subscribe = (_: unknown, { id }: { id: string }) => follow(id);

const server = createServer((request, response) => {
  const id = request.url?.split('/publish/')[1] ?? '';
  response.end('ok\n');
  const event = eventOf(id, 'FAILED');
  for (const resolve of waiting.get(id) ?? []) resolve(event);
  waiting.delete(id);
});
useServer({ schema }, new WebSocketServer({ server, path: '/graphql' }));
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(
    `${JSON.stringify({ msg: 'listening', url: `http://127.0.0.1:${port}` })}\n`,
  );
});
process.on('SIGTERM', () => process.exit(0));
