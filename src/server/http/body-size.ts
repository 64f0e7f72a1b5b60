import type { IncomingMessage, ServerResponse } from 'node:http';
import { maxFileBytes } from '../../domains/uploads/service.ts';
import { maxMultipartBytes } from '../operation/multipart.ts';
import {
  maxDiscardedBytes,
  maxRequestBytes,
  requestTooLargeError,
} from '../operation/request-params.ts';
import type { HeadRejection } from './head-checks.ts';

/** How long the rest of a rejected body is read. */
const maxDiscardMs = 10_000;

/** Rejects a body by its `content-length`, before any of it is read. */
export function checkSize({ url = '/', headers }: IncomingMessage): HeadRejection | null {
  const hasFiles = /^multipart\/form-data\b/i.test(headers['content-type'] ?? '');
  const maxBytes = maxBytesOf(url, hasFiles);
  return Number(headers['content-length'] ?? 0) > maxBytes
    ? { status: 413, body: { errors: [requestTooLargeError()] } }
    : null;
}

function maxBytesOf(url: string, hasFiles: boolean): number {
  if (url.startsWith('/uploads/')) return maxFileBytes;
  return hasFiles && /^\/graphql\b/.test(url) ? maxMultipartBytes : maxRequestBytes;
}

/**
 * Answers a request without using its body. The connection stays open until the client has sent the rest, within limits:
 * many clients read the answer only then, and closing a socket with unread bytes resets it, which can discard the answer.
 */
export function rejectUnread(
  { status, body }: HeadRejection,
  { request, response }: { request: IncomingMessage; response: ServerResponse },
): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    connection: 'close',
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
  });
  response.write(text);
  const end = () => {
    response.end();
  };
  // A client that waits for permission to send its body sends none after this answer.
  if (/^100-continue$/i.test(request.headers.expect ?? '')) {
    end();
    return;
  }
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.byteLength;
    if (bytes > maxDiscardedBytes) end();
  });
  request.on('error', end);
  request.once('end', end);
  const timer = setTimeout(end, maxDiscardMs);
  response.once('close', () => clearTimeout(timer));
}
