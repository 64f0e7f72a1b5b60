import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

type Asked = { variables: Record<string, unknown>; headers: IncomingMessage['headers'] };

/** How the server answers: over HTTP, or as the stream of a subscription over either transport. */
export type Step = (stream: ScriptedStream) => void;

/** What a step says, the same way over server-sent events and WebSocket. */
export type ScriptedStream = {
  next(answer: object | null, errors?: object[]): void;
  complete(): void;
  /** A sign of life. */
  live(): void;
  /** Without `complete`; over WebSocket with this code. */
  end(code?: number): void;
  /** Resolves when the client has left. */
  left: Promise<unknown>;
  /** The raw answer, where it came over HTTP. */
  response: ServerResponse | null;
};

/**
 * A server that does what no good one does: it plays one step for each request, and then no more. The product itself
 * never leaves out an event or falls silent, and a client must bear that all the same.
 */
export async function startScripted(...steps: Step[]) {
  const asked: Asked[] = [];
  const streams = new Set<ScriptedStream>();
  const play = (step: Step, stream: ScriptedStream) => {
    streams.add(stream);
    void stream.left.then(() => streams.delete(stream));
    step(stream);
  };
  const next = (request: Asked): Step | undefined => {
    asked.push(request);
    return steps[asked.length - 1];
  };

  const server = createServer(async (request, response) => {
    const body = JSON.parse(await read(request)) as Pick<Asked, 'variables'>;
    const step = next({ variables: body.variables, headers: request.headers });
    if (step === undefined) request.socket.destroy();
    else play(step, overHttp(response, request.headers.accept === 'text/event-stream'));
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket: WebSocket, request) => {
    socket.on('message', (raw) => {
      const message = JSON.parse(String(raw)) as {
        id: string;
        type: string;
        payload?: Record<string, string> & Pick<Asked, 'variables'>;
      };
      if (message.type === 'connection_init') {
        Object.assign(request.headers, message.payload);
        socket.send('{"type":"connection_ack"}');
      }
      if (message.type !== 'subscribe' || message.payload === undefined) return;
      const { variables } = message.payload;
      const step = next({ variables, headers: request.headers });
      if (step === undefined) socket.terminate();
      else play(step, overSocket(socket, message.id));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`,
    /** What came, in order. */
    asked,
    get sockets() {
      return sockets.clients.size;
    },
    /** Streams of either kind that are open. */
    get connections() {
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

async function read(request: IncomingMessage): Promise<string> {
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
    left: once(response, 'close'),
    next(answer, errors) {
      if (!isStream) {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(resultOf(answer, errors));
        return;
      }
      open();
      response.write(`event: next\ndata: ${resultOf(answer, errors)}\n\n`);
    },
    live() {
      open();
      response.write(':\n\n');
    },
    complete() {
      open();
      response.end('event: complete\ndata:\n\n');
    },
    end() {
      open();
      response.end();
    },
  };
}

function overSocket(socket: WebSocket, id: string): ScriptedStream {
  const send = (message: object) => socket.send(JSON.stringify(message));
  return {
    response: null,
    left: once(socket, 'close'),
    next(answer, errors) {
      if (answer === null) send({ id, type: 'error', payload: errors });
      else send({ id, type: 'next', payload: { data: { answer } } });
    },
    live: () => send({ type: 'pong' }),
    complete: () => send({ id, type: 'complete' }),
    end: (code = 1012) => socket.close(code, 'As the script says'),
  };
}

const at = '2030-01-01T00:00:00.000Z';

/** An event of the log as the kit asks for it. */
export function event(sequence: number, status: string, failureCode?: string) {
  const failure = failureCode === undefined ? null : failureOf(failureCode);
  return {
    __typename: 'LipsyncProgress',
    cursor: `cursor ${sequence}`,
    sequence,
    status,
    percent: status === 'COMPLETED' ? 100 : sequence,
    queuePosition: null,
    occurredAt: at,
    source: 'POLL',
    failure,
    lipsync: {
      id: 'a lip-sync',
      status,
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
  const message = `Something is ${code}.`;
  return { code, message, retryable: retryAfterSeconds !== null, retryAfterSeconds };
}
