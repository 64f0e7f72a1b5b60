import type { ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { ConnectionFault, SandboxContext } from './context.ts';

/** Closes the connection without a byte. */
export function cutConnection(c: SandboxContext): Response {
  return replaceResponse(c, {
    loggedAs: 'cut',
    apply: (response) => void response.socket?.destroy(),
  });
}

/** Sends nothing and keeps the connection open. */
export function neverAnswer(c: SandboxContext): Response {
  return replaceResponse(c, { loggedAs: 'hang', apply: () => undefined });
}

/** Announces the whole body, sends its first bytes and closes the connection. */
export function truncateResponse(c: SandboxContext, whole: Response, bytes: number): Response {
  return replaceResponse(c, {
    loggedAs: whole.status,
    async apply(response) {
      const body = Buffer.from(await whole.arrayBuffer());
      response.writeHead(whole.status, {
        ...Object.fromEntries(whole.headers),
        'content-length': String(Math.max(body.length, bytes + 1)),
      });
      response.flushHeaders();
      await new Promise<void>((resolve) =>
        response.write(body.subarray(0, bytes), () => resolve()),
      );
      response.socket?.destroy();
    },
  });
}

function replaceResponse(c: SandboxContext, fault: ConnectionFault): Response {
  c.set('connectionFault', fault);
  return RESPONSE_ALREADY_SENT;
}

/** Waits. Ends early when the client disconnects or the sandbox closes. */
export async function pause(ms: number | undefined, response: ServerResponse) {
  if (!ms) return;
  const disconnected = new AbortController();
  const abort = () => disconnected.abort();
  response.once('close', abort);
  await wait(ms, undefined, { signal: disconnected.signal }).catch(() => undefined);
  response.off('close', abort);
}
