import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import type { Log } from '../log.ts';
import { verifyToken } from './token.ts';

/** What a callback says is a hint, and a hint is short. */
const mostBytes = 262_144;

/** It is sent in one piece with its head; whoever has not sent it by then is answered without. */
const mostWaitMs = 1_000;

const hint = z.looseObject({ video_id: z.union([z.string(), z.number()]).transform(String) });

/**
 * POST /callbacks/<token>. A token that holds is answered 200 at once, whatever the body says, and what it is about
 * is read again with our own credentials. A token that does not hold costs a hash: no row, no call.
 */
export function createCallbackDoor(parts: {
  secrets: readonly string[];
  now: () => Date;
  log: Log;
  onCallback: (lipsyncId: string, claimedVideoId: string | null) => Promise<void>;
}) {
  return async (
    request: IncomingMessage,
    response: ServerResponse,
    token: string,
  ): Promise<void> => {
    const verified = verifyToken(parts.secrets, token, { purpose: 'callback', now: parts.now() });
    if (verified === null) {
      request.resume();
      response.writeHead(404, { 'content-type': 'text/plain' }).end('not found\n');
      return;
    }
    const body = await readBody(request, AbortSignal.timeout(mostWaitMs));
    answer(response, body);
    try {
      await parts.onCallback(verified.id, claimOf(body));
    } catch (error) {
      // The poller sees what this callback would have told.
      parts.log.error({ err: error, lipsyncId: verified.id }, 'a callback could not be taken');
    }
  };
}

/** Of a body that was too long or too slow the rest is not waited for. */
function answer(response: ServerResponse, body: string | null): void {
  if (response.headersSent) return;
  if (body === null) response.setHeader('connection', 'close');
  response.writeHead(200, { 'content-type': 'text/plain' }).end('ok\n');
}

/** The body, or null where it breaks off, is longer than anything worth reading, or is not there in time. */
function readBody(request: IncomingMessage, late: AbortSignal): Promise<string | null> {
  const { promise, resolve } = Promise.withResolvers<string | null>();
  const chunks: Buffer[] = [];
  let length = 0;
  request.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length <= mostBytes) {
      chunks.push(chunk);
      return;
    }
    request.pause();
    resolve(null);
  });
  request.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
  request.once('close', () => resolve(null));
  late.addEventListener('abort', () => resolve(null), { once: true });
  return promise;
}

function claimOf(body: string | null): string | null {
  try {
    return hint.safeParse(JSON.parse(body ?? '')).data?.video_id ?? null;
  } catch {
    return null;
  }
}
