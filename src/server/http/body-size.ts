import type { IncomingMessage } from 'node:http';
import { maxFileBytes } from '../../domains/uploads/service.ts';
import { maxMultipartBytes } from '../operation/multipart.ts';
import { maxRequestBytes, requestTooLargeError } from '../operation/request-params.ts';
import type { HeadRejection } from './head-checks.ts';

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
  // The body of a callback is only a hint, and `callbacks/route.ts` reads only its start. A large one must not be lost.
  const isLarge = url.startsWith('/callbacks/') || (hasFiles && /^\/graphql\b/.test(url));
  return isLarge ? maxMultipartBytes : maxRequestBytes;
}
