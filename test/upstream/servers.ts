import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import net, { type AddressInfo, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { createLog } from '../../src/log.ts';
import { createUpstream, type Upstream, type UpstreamOptions } from '../../src/upstream/client.ts';

/** Planted wherever text could leak. */
export const secrets = {
  token: 'user:4711-zyxwvutsrqponmlk',
  email: 'ann.secret+1@mail.example.org',
  url: 'https://media.secret.example/v/1.mp4',
  path: '/etc/secret/upload-1.mp3',
};

export type Received = {
  method: string;
  /** As in the request line, not decoded. */
  path: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** 1 for the server's first connection. */
  connection: number;
};

export type Served = { baseUrl: string; port: number; requests: Received[]; connections: number };

/** An HTTP server that responds once the whole request has arrived. Closed with the test. */
export async function serveHttp(
  answer: (request: Received, response: ServerResponse) => void,
): Promise<Served> {
  const numbers = new WeakMap<Socket, number>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const received = {
        method: request.method ?? '',
        path: request.url ?? '',
        headers: request.headers,
        body: Buffer.concat(chunks),
        connection: numbers.get(request.socket) ?? 0,
      };
      served.requests.push(received);
      answer(received, response);
    });
  });
  const served: Served = { baseUrl: '', port: 0, requests: [], connections: 0 };
  server.on('connection', (socket) => {
    served.connections += 1;
    numbers.set(socket, served.connections);
  });
  served.port = await listen(server);
  served.baseUrl = `http://127.0.0.1:${served.port}/v2/pixverse`;
  return served;
}

/** Responds to every request with one status and body; an object is sent as JSON. */
export function serveAnswer(
  status: number,
  body: unknown = undefined,
  headers: Record<string, string> = {},
): Promise<Served> {
  return serveHttp((_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' || body === undefined ? body : JSON.stringify(body));
  });
}

/** A TCP server, for responses that an HTTP server would not send. */
export async function serveTcp(onSocket: (socket: Socket) => void): Promise<Served> {
  const served: Served = { baseUrl: '', port: 0, requests: [], connections: 0 };
  const server = net.createServer((socket) => {
    served.connections += 1;
    socket.on('error', () => {});
    onSocket(socket);
  });
  served.port = await listen(server);
  served.baseUrl = `http://127.0.0.1:${served.port}/v2/pixverse`;
  return served;
}

/** Writes the bytes of a response as soon as the head of the request has arrived. */
export function serveBytes(...pieces: string[]): Promise<Served> {
  return serveTcp((socket) => {
    socket.once('data', () => {
      for (const piece of pieces) {
        socket.write(piece);
      }
    });
  });
}

/** Listens on a free port. Closed with the test, including open connections. */
export async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    for (const socket of sockets) {
      socket.destroy();
    }
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

export type Connected = { upstream: Upstream; logged: () => string };

/** An upstream with short retry waits. `logged` is its whole log, from the lowest level on. */
export function connect(baseUrl: string, options: Partial<UpstreamOptions> = {}): Connected {
  const lines: string[] = [];
  const upstream = createUpstream({
    baseUrl,
    token: secrets.token,
    timeoutMs: 5_000,
    log: createLog('trace', { write: (line) => lines.push(line) }),
    retryBaseMs: 1,
    ...options,
  });
  onTestFinished(() => upstream.close());
  return { upstream, logged: () => lines.join('') };
}

/** The reason of a promise that must reject. */
export async function thrownBy(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    (value) => {
      throw new Error(`The promise did not reject, but resolved to: ${JSON.stringify(value)}`);
    },
    (thrown: unknown) => thrown,
  );
}
