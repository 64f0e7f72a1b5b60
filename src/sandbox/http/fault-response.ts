import { ApiError } from '../api-error.ts';
import type { PathFault } from '../faults/switches.ts';
import { cutConnection, neverAnswer, truncateResponse } from './connection.ts';
import type { SandboxContext } from './context.ts';
import { errorResponse, textResponse } from './responses.ts';

/** Takes the place of the route's own response, also where that is a connection fault. */
export function faultResponse(c: SandboxContext, fault: PathFault): Response {
  if (fault.action === 'cut') return cutConnection(c);
  if (fault.action === 'hang') return neverAnswer(c);
  c.set('connectionFault', undefined);
  const response = wholeResponse(c, fault);
  for (const [name, value] of Object.entries(fault.headers ?? {})) {
    response.headers.set(name, value);
  }
  return fault.truncateAt === undefined
    ? response
    : truncateResponse(c, response, fault.truncateAt);
}

function wholeResponse(c: SandboxContext, { status, body }: PathFault): Response {
  if (body === undefined) return errorResponse(c, new ApiError(status));
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return textResponse(status, text, { 'content-type': guessContentType(text) });
}

/** Half JSON is still sent as JSON, since a client must survive exactly that. */
function guessContentType(text: string): string {
  if (text.startsWith('<')) return 'text/html; charset=utf-8';
  return /^\s*[[{"]/.test(text) ? 'application/json; charset=utf-8' : 'text/plain; charset=utf-8';
}
