import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

type ReceivedRequest = { variables: Record<string, unknown>; headers: IncomingMessage['headers'] };

/** Answers one request: an HTTP response, or the stream of a subscription over either transport. */
export type Step = (stream: ScriptedStream) => void;

/** The actions of a step; they work the same over server-sent events and WebSocket. */
export type ScriptedStream = {
  next(answer: object | null, errors?: object[]): void;
  complete(): void;
  heartbeat(): void;
  /** Closes the connection without `complete`; over WebSocket with this code. */
  disconnect(code?: number): void;
  /** Resolves when the client has closed the connection. */
  closed: Promise<unknown>;
  /** The raw HTTP response; null over WebSocket. */
  response: ServerResponse | null;
};

/**
 * A server that misbehaves by script: it plays one step per request and drops the connection of each further request.
 * The product itself never skips an event or falls silent, but a client must handle both.
 */
export async function startScriptedServer(...steps: Step[]) {
  const requests: ReceivedRequest[] = [];
  const streams = new Set<ScriptedStream>();
  const play = (step: Step, stream: ScriptedStream) => {
    streams.add(stream);
    void stream.closed.then(() => streams.delete(stream));
    step(stream);
  };
  const nextStep = (request: ReceivedRequest): Step | undefined => {
    requests.push(request);
    return steps[requests.length - 1];
  };

  const server = createServer(async (request, response) => {
    const body = JSON.parse(await readBody(request)) as Pick<ReceivedRequest, 'variables'>;
    const step = nextStep({ variables: body.variables, headers: request.headers });
    if (step === undefined) request.socket.destroy();
    else play(step, overHttp(response, request.headers.accept === 'text/event-stream'));
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket: WebSocket, request) => {
    socket.on('message', (raw) => {
      const message = JSON.parse(String(raw)) as {
        id: string;
        type: string;
        payload?: Record<string, string> & Pick<ReceivedRequest, 'variables'>;
      };
      if (message.type === 'connection_init') {
        Object.assign(request.headers, message.payload);
        socket.send('{"type":"connection_ack"}');
      }
      if (message.type !== 'subscribe' || message.payload === undefined) return;
      const { variables } = message.payload;
      const step = nextStep({ variables, headers: request.headers });
      if (step === undefined) socket.terminate();
      else play(step, overSocket(socket, message.id));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`,
    /** In order of arrival. */
    requests,
    get openSockets() {
      return sockets.clients.size;
    },
    /** The number of open streams over both transports. */
    get openStreams() {
      return streams.size;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets.clients) socket.terminate();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function readBody(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  return text;
}

function resultOf(answer: object | null, errors?: object[]): string {
  return JSON.stringify({ data: answer === null ? null : { answer }, errors });
}

function overHttp(response: ServerResponse, isStream: boolean): ScriptedStream {
  const open = () => {
    if (!response.headersSent)
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('retry: 1\n\n');
  };
  return {
    response,
    closed: once(response, 'close'),
    next(answer, errors) {
      if (!isStream) {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(resultOf(answer, errors));
        return;
      }
      open();
      response.write(`event: next\ndata: ${resultOf(answer, errors)}\n\n`);
    },
    heartbeat() {
      open();
      response.write(':\n\n');
    },
    complete() {
      open();
      response.end('event: complete\ndata:\n\n');
    },
    disconnect() {
      open();
      response.end();
    },
  };
}

function overSocket(socket: WebSocket, id: string): ScriptedStream {
  const send = (message: object) => socket.send(JSON.stringify(message));
  return {
    response: null,
    closed: once(socket, 'close'),
    next(answer, errors) {
      if (answer === null) send({ id, type: 'error', payload: errors });
      else send({ id, type: 'next', payload: { data: { answer } } });
    },
    heartbeat: () => send({ type: 'pong' }),
    complete: () => send({ id, type: 'complete' }),
    disconnect: (code = 1012) => socket.close(code, 'Closed by the script'),
  };
}

const at = '2030-01-01T00:00:00.000Z';

/** Sends these answers, then `complete`. */
export const completeAfter =
  (...answers: object[]): Step =>
  (stream) => {
    for (const answer of answers) stream.next(answer);
    stream.complete();
  };

/** Sends these answers, then drops the connection. */
export const disconnectAfter =
  (...answers: object[]): Step =>
  (stream) => {
    for (const answer of answers) stream.next(answer);
    stream.disconnect();
  };

/** An event of the log, with the fields that the kit selects. */
export function event(sequence: number, status: string, failureCode?: string) {
  const failure = failureCode === undefined ? null : failureOf(failureCode);
  // REVIEWING and ARCHIVED are statuses of a newer server.
  const running = ['QUEUED', 'SUBMITTING', 'SUBMITTED', 'GENERATING', 'REVIEWING'];
  const isFinal = !running.includes(status);
  return {
    __typename: 'LipsyncProgress',
    cursor: `cursor ${sequence}`,
    sequence,
    status,
    isFinal,
    percent: status === 'COMPLETED' ? 100 : sequence,
    queuePosition: null,
    occurredAt: at,
    source: 'POLL',
    failure,
    lipsync: {
      id: 'a lip-sync',
      status,
      isFinal,
      charge: status === 'COMPLETED' ? 'CHARGED' : 'NONE',
      reference: null,
      text: null,
      creditsCharged: null,
      createdAt: at,
      submittedAt: at,
      finishedAt: null,
      progress: { percent: sequence, queuePosition: null, estimatedCompletionAt: null },
      failure,
      result:
        status === 'COMPLETED'
          ? {
              id: 'a video',
              url: 'https://videos.example/1.mp4',
              permanentUrl: null,
              posterUrl: null,
              width: 640,
              height: 480,
              durationSeconds: 5,
            }
          : null,
    },
  };
}

export function failureOf(code: string, retryAfterSeconds: number | null = null) {
  const message = `The failure ${code}.`;
  return { code, message, retryable: retryAfterSeconds !== null, retryAfterSeconds };
}

export const begin: Step = (stream) => stream.next(event(1, 'GENERATING'));
export const finish: Step = (stream) => stream.next(event(2, 'COMPLETED'));
