import { createHmac, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { useGraphQLSSE } from '@graphql-yoga/plugin-graphql-sse';
import type { FetchAPI, Plugin } from 'graphql-yoga';
import type { Caller } from '../graphql/context.ts';
import { nobody } from './caller.ts';
import { usualHeartbeatMs } from './heartbeat.ts';
import type { Sessions } from './sessions.ts';
import type { EventStreams, Place } from './sse.ts';

const endpoint = '/graphql/stream';
const tokenHeader = 'x-graphql-event-stream-token';

/** Who connects, and to which reserved stream; null: to one that carries this operation alone. */
type Connection = { caller: Caller; token: string | null };

/**
 * The "single connection" form of graphql-sse: a caller reserves a stream, opens it, and posts operations whose results
 * come through it. A reservation is its caller's own: under another's token there is no stream.
 */
export function useSingleStream(parts: {
  sessions: Pick<Sessions, 'signIn'>;
  streams: Pick<EventStreams, 'enter'>;
  heartbeatMs?: number | undefined;
}): Plugin {
  const { sign, isOf } = createReservations();
  const connections = new WeakMap<Request, Connection>();
  const places = new Map<string, Place>();

  async function admit(request: { method: string; headers: Headers; raw: Request }) {
    const { method, headers, raw } = request;
    const caller = await parts.sessions.signIn(headers.get('authorization'));
    const token = headers.get(tokenHeader);
    if (token !== null && !isOf(caller, token)) return streamNotFound();
    connections.set(raw, { caller, token });
    if (token !== null) places.get(token)?.bindTo(caller);
    if (token !== null || method !== 'PUT') return token;
    // It could run nothing, and a reservation takes memory.
    return caller === nobody ? signInFirst() : sign(caller);
  }

  return {
    onPluginInit({ addPlugin }) {
      addPlugin(useGraphQLSSE({ endpoint, authenticate: admit as never }));
    },
    onResponse({ request, response, setResponse, fetchAPI }) {
      const connection = connections.get(request);
      const type = response.headers.get('content-type');
      if (connection === undefined || !type?.startsWith('text/event-stream')) return;
      const { caller, token } = connection;
      const enter = (end: End) => {
        const place = parts.streams.enter(caller, end);
        if (token !== null) places.set(token, place);
        return () => {
          place.leave();
          if (token !== null) places.delete(token);
        };
      };
      const { heartbeatMs = usualHeartbeatMs } = parts;
      const body = endable(response.body, fetchAPI.ReadableStream, { enter, heartbeatMs });
      const { status, headers } = response;
      setResponse(new fetchAPI.Response(body, { status, headers }));
    },
  };
}

/** Tokens that say whose they are, under a secret of this process: its streams end with it. */
function createReservations() {
  const secret = randomBytes(32);
  const macOf = (owner: string, name: string) =>
    createHmac('sha256', secret).update(`${name}.${owner}`).digest('base64url');
  return {
    sign({ owner }: Caller): string {
      const name = randomUUID();
      return `${name}.${macOf(owner, name)}`;
    },
    isOf({ owner }: Caller, token: string): boolean {
      const [name = '', mac = ''] = token.split('.');
      const genuine = Buffer.from(macOf(owner, name));
      const given = Buffer.from(mac);
      return given.length === genuine.length && timingSafeEqual(given, genuine);
    },
  };
}

/** As graphql-sse answers a token that it doesn't know. */
function streamNotFound() {
  return refusal(404, { message: 'Stream not found', extensions: { code: 'NOT_FOUND' } });
}

function signInFirst() {
  const extensions = { code: 'NOT_AUTHENTICATED' };
  return refusal(401, { message: 'Sign in to do this.', extensions });
}

function refusal(status: number, error: object) {
  const headers = { 'content-type': 'application/json; charset=utf-8' };
  return [JSON.stringify({ errors: [error] }), { status, headers }] as const;
}

type End = (lastWords: string) => void;

/** The same stream, which can be ended from here, and gives signs of life. */
function endable(
  body: ReadableStream<Uint8Array> | null,
  Stream: FetchAPI['ReadableStream'],
  { enter, heartbeatMs }: { enter: (end: End) => () => void; heartbeatMs: number },
): ReadableStream<Uint8Array> | null {
  if (body === null) return null;
  const reader = body.getReader();
  const encoder = new TextEncoder();
  let heartbeat: NodeJS.Timeout | undefined;
  let leave: (() => void) | null = null;
  const end = () => {
    clearInterval(heartbeat);
    leave?.();
    leave = null;
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
      leave = enter((lastWords) => {
        if (lastWords !== '') controller.enqueue(encoder.encode(lastWords));
        controller.close();
        void abandon();
      });
    },
    async pull(controller) {
      const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }));
      if (leave === null) return;
      if (!done && value !== undefined) return controller.enqueue(value);
      controller.close();
      end();
    },
    cancel: abandon,
  });
}
