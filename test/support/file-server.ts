import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type FileRequest = Pick<IncomingMessage, 'method' | 'headers'> & { path: string };

/** Answers a path; `n` counts the requests for it from 1. */
export type FileHandler = (response: ServerResponse, n: number, request: IncomingMessage) => void;

/** A server on the internet with the files of a caller: it records the requests. */
export async function openFileServer(handlers: Record<string, FileHandler>) {
  const requests: FileRequest[] = [];
  const server = createServer((request, response) => {
    response.on('error', () => undefined);
    const path = request.url ?? '';
    requests.push({ method: request.method, headers: request.headers, path });
    const handler = handlers[path.split('?')[0] ?? ''];
    const n = requests.filter((each) => each.path === path).length;
    if (handler === undefined) response.writeHead(404).end('nothing here');
    else handler(response, n, request);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    requests,
    requestsOf: (path: string) => requests.filter((each) => each.path === path),
    url: (path: string) => `http://127.0.0.1:${port}${path}`,
    close(): void {
      server.close();
      server.closeAllConnections();
    },
  };
}

export type FileServer = Awaited<ReturnType<typeof openFileServer>>;

/** Sends the whole file with its length. */
export const sendFile =
  (bytes: Uint8Array, contentType = 'audio/wav'): FileHandler =>
  (response) =>
    void response
      .writeHead(200, { 'content-type': contentType, 'content-length': bytes.byteLength })
      .end(bytes);
