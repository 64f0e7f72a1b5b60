import { ApiError } from '../api-error.ts';
import type { SandboxContext } from './context.ts';

export const API_BASE = '/v2/pixverse';

/** A `Response` with one of these statuses must not have a body. */
const bodilessStatuses = new Set([204, 205, 304]);

export function jsonResponse(status: number, value: unknown): Response {
  return textResponse(status, JSON.stringify(value), {
    'content-type': 'application/json; charset=utf-8',
  });
}

/** Any text, also one that its content type does not allow. */
export function textResponse(
  status: number,
  body: string,
  headers: Record<string, string> = {},
): Response {
  if (bodilessStatuses.has(status)) return new Response(null, { status, headers });
  // An empty body would be sent chunked.
  const length = { 'content-length': String(Buffer.byteLength(body)) };
  return new Response(body === '' ? null : body, { status, headers: { ...length, ...headers } });
}

/** Errors of the lip-sync endpoint have no `code`; those of every other endpoint do. */
export function errorResponse(c: SandboxContext, error: unknown): Response {
  const status = error instanceof ApiError ? error.status : 500;
  const message = error instanceof Error ? error.message : String(error);
  const isLipsync = c.req.path === `${API_BASE}/videos/lipsync`;
  return jsonResponse(status, { error: message, ...(isLipsync ? {} : { code: status }) });
}

/** The status of a successful DELETE is not documented: 204 by default, 200 with JSON by a switch. */
export function deletedResponse(c: SandboxContext, value: object): Response {
  return c.env.state.switches.current.deleteBody === 'json'
    ? jsonResponse(200, value)
    : new Response(null, { status: 204 });
}
