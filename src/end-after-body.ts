import type { IncomingMessage, ServerResponse } from 'node:http';

/** How much of an unread body is read and discarded. */
export const maxDiscardedBytes = 64 * 1024 ** 2;

/** How long an unread body is read. */
const maxDiscardMs = 10_000;

/** A client that waits for permission to send its body sends none after the answer, and closes the connection. */
const maxExpectedMs = 1_000;

type Answer = { status: number; text: string; headers?: Record<string, string> };

/**
 * Sends a response to a request whose body may not have been read. The connection stays open until the client has sent the
 * rest, within limits: many clients read the answer only then, and closing a socket with unread bytes resets it, which can
 * discard the answer.
 */
export function endAfterBody(response: ServerResponse, { status, text, headers }: Answer): void {
  const request = response.req;
  const isRead = !hasBody(request) || request.readableEnded;
  response.writeHead(status, {
    ...headers,
    'content-length': Buffer.byteLength(text),
    ...(isRead ? {} : { connection: 'close' }),
  });
  if (isRead) {
    response.end(text);
    return;
  }
  response.write(text);
  void discardBody(request).then(() => response.end());
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** Reads the rest of a body within the limits. Resolves at its end, or at a limit. */
export function discardBody(request: IncomingMessage): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const isWaiting = /^100-continue$/i.test(request.headers.expect ?? '');
  let bytes = 0;
  let timer = setTimeout(resolve, isWaiting ? maxExpectedMs : maxDiscardMs);
  request.on('data', (chunk: Buffer) => {
    if (isWaiting && bytes === 0) {
      clearTimeout(timer);
      timer = setTimeout(resolve, maxDiscardMs);
    }
    bytes += chunk.byteLength;
    if (bytes > maxDiscardedBytes) resolve();
  });
  request.on('error', () => resolve());
  request.once('end', resolve).once('close', resolve);
  if (request.readableEnded || request.destroyed) resolve();
  request.resume();
  return promise.finally(() => clearTimeout(timer));
}
