import { useGraphQLSSE } from '@graphql-yoga/plugin-graphql-sse';
import type { FetchAPI, Plugin } from 'graphql-yoga';
import type { Caller } from '../graphql/context.ts';
import { nobody } from './caller.ts';
import { usualHeartbeatMs } from './heartbeat.ts';
import { createReservations } from './reservations.ts';
import type { ReservedStream } from './reserved-stream.ts';
import type { Sessions } from './sessions.ts';
import type { EventStreams, Place } from './sse.ts';

const endpoint = '/graphql/stream';
const tokenHeader = 'x-graphql-event-stream-token';

/** Who connects, and to which reserved stream; null: to none. */
type Connection = { caller: Caller; token: string | null };

type Asked = { method: string; headers: Headers; raw: Request };

type Parts = {
  sessions: Pick<Sessions, 'signIn'>;
  streams: Pick<EventStreams, 'enter'>;
  /** Default: `usualHeartbeatMs`. */
  heartbeatMs?: number | undefined;
  /** Asks this very server, past HTTP. */
  ask: (request: Request) => Promise<Response> | Response;
};

/**
 * The "single connection" form of graphql-sse: a caller reserves a stream, opens it, and posts operations whose results
 * come through it. A reservation is its caller's own: under another's token there is no stream.
 */
export function useSingleStream(parts: Parts): Plugin {
  let fetchAPI: FetchAPI;
  const door = new StreamDoor(parts, () => fetchAPI);
  return {
    onPluginInit({ addPlugin }) {
      const authenticate = (asked: Asked) => door.admit(asked);
      const onNext = (_: unknown, { raw }: Asked) => door.answer(raw);
      const onComplete = (_: unknown, { raw }: Asked) => door.forget(raw);
      addPlugin(useGraphQLSSE({ endpoint, authenticate, onNext, onComplete } as never));
    },
    onYogaInit({ yoga }) {
      fetchAPI = yoga.fetchAPI;
    },
    onResponse({ request, response, setResponse }) {
      if (response.status !== 202) door.forget(request);
      const enter = door.entranceOf(request);
      const type = response.headers.get('content-type');
      if (enter === null || !type?.startsWith('text/event-stream')) return;
      const { status, headers } = response;
      const { heartbeatMs = usualHeartbeatMs } = parts;
      const body = endable(response.body, fetchAPI.ReadableStream, { enter, heartbeatMs });
      setResponse(new fetchAPI.Response(body, { status, headers }));
    },
  };
}

class StreamDoor {
  readonly #parts: Parts;
  readonly #fetchAPI: () => FetchAPI;
  readonly #connections = new WeakMap<Request, Connection>();
  readonly #places = new Map<string, Place>();
  readonly #ours = new WeakSet<Request>();
  readonly #reservations = createReservations({
    make: async (token) => void (await this.#ask(token, { method: 'PUT', accept: '*/*' })),
    leave: async (token) => {
      const { body } = await this.#ask(token, { method: 'GET', accept: 'text/event-stream' });
      await body?.cancel();
    },
  });

  constructor(parts: Parts, fetchAPI: () => FetchAPI) {
    this.#parts = parts;
    this.#fetchAPI = fetchAPI;
  }

  /** Under which token graphql-sse shall see the request, or why under none. */
  async admit({ method, headers, raw }: Asked) {
    const token = headers.get(tokenHeader);
    if (this.#ours.has(raw)) return token;
    const caller = await this.#parts.sessions.signIn(headers.get('authorization'));
    this.#connections.set(raw, { caller, token });
    if (token === null) return method === 'PUT' ? this.#reserve(caller, headers) : null;
    if (!this.#reservations.isOf(caller, token)) return streamNotFound();
    if (method === 'PUT') return isReserved();
    this.#places.get(token)?.bindTo(caller);
    return this.#use(token, { method, caller, raw });
  }

  async #use(token: string, { method, caller, raw }: Omit<Asked, 'headers'> & { caller: Caller }) {
    const stream = await this.#reservations.use(token, caller.owner);
    if (stream === null) return streamNotFound();
    if (method === 'GET') stream.isOpen = true;
    return method !== 'POST' || stream.admit(raw) ? token : tooMany();
  }

  #reserve(caller: Caller, asked: Headers) {
    // It could run nothing.
    if (caller === nobody) return signInFirst();
    if (!/\*\/\*|text\/(plain|\*)/i.test(asked.get('accept') ?? '*/*')) return onlyText();
    const headers = { 'content-type': 'text/plain; charset=utf-8' };
    return [this.#reservations.sign(caller), { status: 201, headers }] as const;
  }

  /** graphql-sse keeps its streams to itself: they are reached by asking for them, as a client does. */
  async #ask(token: string, { method, accept }: { method: string; accept: string }) {
    const { Request } = this.#fetchAPI();
    const headers = { accept, [tokenHeader]: token };
    const request = new Request(`http://localhost${endpoint}`, { method, headers });
    this.#ours.add(request);
    return this.#parts.ask(request);
  }

  /** Waits until an answer to the operation may be put into its stream. */
  async answer(operation: Request): Promise<void> {
    await this.#streamOf(operation)?.waitForRoom();
    this.forget(operation);
  }

  /** The operation has its first answer, or comes to an end without one. */
  forget(operation: Request): void {
    this.#streamOf(operation)?.answered(operation);
  }

  #streamOf(request: Request): ReservedStream | undefined {
    const token = this.#connections.get(request)?.token;
    return token == null ? undefined : this.#reservations.find(token);
  }

  /** How the stream that this request opens is entered, or null where it is one of ours. */
  entranceOf(request: Request): ((end: End) => Reader) | null {
    const connection = this.#connections.get(request);
    return connection === undefined ? null : (end) => this.#enter(connection, end);
  }

  #enter({ caller, token }: Connection, end: End): Reader {
    const place = this.#parts.streams.enter(caller, end);
    if (token === null) return { wasRead: () => undefined, leave: () => place.leave() };
    const stream = this.#reservations.find(token);
    this.#places.set(token, place);
    return {
      wasRead: () => stream?.wasRead(),
      leave: () => {
        place.leave();
        this.#places.delete(token);
        this.#reservations.end(token);
      },
    };
  }
}

/** In the words of graphql-sse for a token that it doesn't know. */
function streamNotFound() {
  return refusal(404, { message: 'Stream not found', extensions: { code: 'NOT_FOUND' } });
}

function signInFirst() {
  const extensions = { code: 'NOT_AUTHENTICATED' };
  return refusal(401, { message: 'Sign in to do this.', extensions });
}

function onlyText() {
  const extensions = { code: 'NOT_ACCEPTABLE' };
  return refusal(406, { message: 'The token of a stream is text/plain.', extensions });
}

function isReserved() {
  const extensions = { code: 'BAD_REQUEST' };
  return refusal(409, { message: 'Stream already registered', extensions });
}

function tooMany() {
  const message = 'Read what this stream has for you before you ask for more.';
  return refusal(429, { message, extensions: { code: 'TOO_MANY_OPERATIONS' } });
}

function refusal(status: number, error: object) {
  const headers = { 'content-type': 'application/json; charset=utf-8' };
  return [JSON.stringify({ errors: [error] }), { status, headers }] as const;
}

/** Ends a stream behind these last words. */
type End = (lastWords: string) => void;

type Reader = {
  /** A result has left us. */
  wasRead: () => void;
  leave: () => void;
};

/** The same stream, which can be ended from here, and gives signs of life. */
function endable(
  body: ReadableStream<Uint8Array> | null,
  Stream: FetchAPI['ReadableStream'],
  { enter, heartbeatMs }: { enter: (end: End) => Reader; heartbeatMs: number },
): ReadableStream<Uint8Array> | null {
  if (body === null) return null;
  const reader = body.getReader();
  const encoder = new TextEncoder();
  let heartbeat: NodeJS.Timeout | undefined;
  let place: Reader | null = null;
  const end = () => {
    clearInterval(heartbeat);
    place?.leave();
    place = null;
  };
  const abandon = async () => {
    end();
    // By the stream and not its reader, which would first wait for what it is reading.
    await body.cancel().catch(() => undefined);
  };
  return new Stream<Uint8Array>({
    start(controller) {
      heartbeat = setInterval(() => {
        if ((controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(':\n\n'));
      }, heartbeatMs);
      place = enter((lastWords) => {
        if (lastWords !== '') controller.enqueue(encoder.encode(lastWords));
        controller.close();
        void abandon();
      });
    },
    async pull(controller) {
      const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }));
      if (place === null) return;
      if (!done && value !== undefined) {
        if (isResult(value)) place.wasRead();
        return controller.enqueue(value);
      }
      controller.close();
      end();
    },
    cancel: abandon,
  });
}

/** graphql-sse writes each message by itself: results, ends of operations, and comments. */
function isResult(message: Uint8Array): boolean {
  return Buffer.from(message.subarray(0, 11)).toString() === 'event: next';
}
