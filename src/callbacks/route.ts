import type { IncomingMessage, ServerResponse } from 'node:http';
import { endAfterBody } from '../end-after-body.ts';
import type { Log } from '../log.ts';
import type { Meter } from '../metrics/meter.ts';
import { isTemporarilyUnavailable } from '../unavailable.ts';
import { lenientId, lenientRecord } from '../upstream/lenient-shapes.ts';
import { verifyToken } from './token.ts';

/** A callback's body is only a hint, and real ones are short. */
const maxBytes = 262_144;

/** How long the server waits for the body. The body of a real callback arrives together with its headers. */
const maxWaitMs = 1_000;

const plainText = { 'content-type': 'text/plain' };

/**
 * The names that the upstream gives the id elsewhere, and the objects in which its other endpoints and receivers nest a
 * result. The documents do not show a callback's body.
 */
const idNames = ['video_id', 'videoId', 'id'];
const nestNames = ['response', 'result', 'data'];
const maxNesting = 2;

/**
 * POST /callbacks/<token>. A valid token is answered 200 at once, with any body, and the lip-sync's state is then read from
 * the upstream with our own credentials. An invalid token costs one hash: no database access and no upstream call.
 */
export function createCallbackHandler(parts: {
  secrets: readonly string[];
  now: () => Date;
  log: Log;
  meter: Meter;
  onCallback: (lipsyncId: string, claimedVideoId: string | null) => Promise<void>;
}) {
  return async (
    request: IncomingMessage,
    response: ServerResponse,
    token: string,
  ): Promise<void> => {
    const verified = verifyToken(parts.secrets, token, { purpose: 'callback', now: parts.now() });
    if (verified === null) {
      parts.meter.count('lipsync_callbacks_total', { kind: 'forged' });
      endAfterBody(response, { status: 404, text: 'not found\n', headers: plainText });
      return;
    }
    const body = await readBody(request, AbortSignal.timeout(maxWaitMs));
    sendOk(response);
    try {
      await parts.onCallback(verified.id, readVideoId(body));
    } catch (error) {
      // Nothing is lost: the next poll reads the same state.
      const level = isTemporarilyUnavailable(error) ? 'warn' : 'error';
      parts.log[level]({ err: error, lipsyncId: verified.id }, 'a callback could not be handled');
    }
  };
}

function sendOk(response: ServerResponse): void {
  if (response.headersSent) return;
  endAfterBody(response, { status: 200, text: 'ok\n', headers: plainText });
}

/** Leaves out a byte order mark, which JSON does not allow. */
const decoder = new TextDecoder();

/** The body; null if it is cut off, too long or too slow. */
function readBody(request: IncomingMessage, timeout: AbortSignal): Promise<string | null> {
  const { promise, resolve } = Promise.withResolvers<string | null>();
  const chunks: Buffer[] = [];
  let length = 0;
  request.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length <= maxBytes) {
      chunks.push(chunk);
      return;
    }
    resolve(null);
  });
  request.once('end', () => resolve(decoder.decode(Buffer.concat(chunks))));
  request.once('close', () => resolve(null));
  timeout.addEventListener('abort', () => resolve(null), { once: true });
  return promise;
}

function readVideoId(body: string | null): string | null {
  try {
    const records = readNested(JSON.parse(body ?? ''), maxNesting);
    // A plain `id` comes last: it can be the id of the callback itself.
    for (const name of idNames) {
      for (const record of records) {
        const id = lenientId.parse(record[name]);
        if (id !== null) return id;
      }
    }
  } catch {
    // Not JSON. The callback alone says that something has changed.
  }
  return null;
}

/** The object and the objects nested in it, outer ones first; of a list its first item. */
function readNested(value: unknown, depth: number): Record<string, unknown>[] {
  const record = lenientRecord.parse(Array.isArray(value) ? value[0] : value);
  if (depth === 0) return [record];
  const nested = nestNames.flatMap((name) => readNested(record[name], depth - 1));
  return [record, ...nested];
}
