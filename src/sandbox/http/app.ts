import type { IncomingMessage, ServerResponse } from 'node:http';
import { accountRoutes } from './accounts.ts';
import { answerError, Refusal, type Reply } from './responses.ts';
import { type Call, pause, sendReply } from './body.ts';
import { answerControl } from './control.ts';
import { replyOfFault, takeFault } from '../faults/path-faults.ts';
import { fileRoutes } from './files.ts';
import { lipsyncRoutes } from './lipsyncs.ts';
import { serveMedia } from './media.ts';
import { schedulerRoutes } from './scheduler.ts';
import { videoRoutes } from './videos.ts';
import type { Route, World } from '../state.ts';

export const API_BASE = '/v2/pixverse';

/** The first that fits is taken, so fixed words stand before `:id`. */
const routes: Route[] = [
  ...lipsyncRoutes,
  ...videoRoutes,
  ...fileRoutes,
  ...accountRoutes,
  ...schedulerRoutes,
];

type Exchange = { request: IncomingMessage; response: ServerResponse };

/** Answers one request to the port: media, the control of the sandbox, or the API. Never throws. */
export async function serve(exchange: Exchange, world: World) {
  const { request, response } = exchange;
  try {
    const [rawPath = '/', query = ''] = splitOnce(request.url ?? '/', '?');
    if (await serveMedia(exchange, rawPath, world)) return;
    const control = await answerControl(request, rawPath, world);
    const reply = control ?? (await serveApi(exchange, { rawPath, query }, world));
    await sendReply(response, reply);
  } catch (error) {
    if (response.headersSent || response.destroyed) response.destroy();
    else await sendReply(response, answerError(...describe(error), false)).catch(() => undefined);
  }
}

async function serveApi(
  exchange: Exchange,
  target: { rawPath: string; query: string },
  world: World,
): Promise<Reply> {
  const call = openCall(exchange, target, world);
  if (!call) return answerError(404, 'Not found', false);
  const { response } = exchange;
  response.once('close', () => {
    call.entry.status ??= 'aborted';
  });
  const reply = await answerApi(call, world);
  await pause(world.switches.now.delayMs, response);
  call.entry.status = typeof reply === 'object' ? reply.status : nameReply(reply);
  return reply;
}

const nameReply = (reply: 'cut' | 'hang' | 'sent') => (reply === 'sent' ? 200 : reply);

async function answerApi(call: Call, world: World): Promise<Reply> {
  const isLipsync = call.path === '/videos/lipsync';
  if (world.switches.take('burst5xx')) return answerError(503, 'Service Unavailable', isLipsync);
  const fault = takeFault(world.switches, call);
  if (fault?.effect !== 'before') {
    const reply = await handle(call, world, isLipsync);
    if (!fault) return reply;
  }
  await pause(fault.delayMs, call.response);
  return replyOfFault(fault, isLipsync);
}

async function handle(call: Call, world: World, isLipsync: boolean): Promise<Reply> {
  try {
    if (call.request.headers.authorization !== `Bearer ${world.token}`) {
      throw new Refusal(401, 'Unauthorized');
    }
    const sameShape = routes.filter((route) => fits(route.path, call.path) !== null);
    const route = sameShape.find(({ method }) => method === call.method);
    if (!route) {
      const isKnown = sameShape.length > 0;
      throw new Refusal(isKnown ? 405 : 404, isKnown ? 'Method not allowed' : 'Not found');
    }
    call.parameter = fits(route.path, call.path) ?? '';
    return await route.handle(call, world);
  } catch (error) {
    return answerError(...describe(error), isLipsync);
  }
}

function describe(error: unknown): [number, string] {
  if (error instanceof Refusal) return [error.status, error.message];
  return [500, error instanceof Error ? error.message : String(error)];
}

function openCall(
  { request, response }: Exchange,
  { rawPath, query }: { rawPath: string; query: string },
  world: World,
): Call | null {
  if (!(rawPath === API_BASE || rawPath.startsWith(`${API_BASE}/`))) return null;
  const below = rawPath.slice(API_BASE.length);
  // With or without a trailing slash, and never a redirect: a redirected POST would lose its body.
  const path = below.endsWith('/') ? below.slice(0, -1) : below;
  const method = request.method ?? 'GET';
  const entry = world.journal.begin({
    method,
    path: query ? `${below}?${query}` : below,
    headers: request.headers,
  });
  return {
    request,
    response,
    method,
    path,
    parameter: '',
    query: new URLSearchParams(query),
    entry,
  };
}

/** What stands in the place of the pattern's `:name`; empty when it has none; null when it does not fit. */
function fits(pattern: string, path: string): string | null {
  const wanted = pattern.split('/');
  const given = path.split('/');
  if (wanted.length !== given.length) return null;
  let parameter = '';
  for (const [index, part] of wanted.entries()) {
    const actual = given[index] ?? '';
    if (part.startsWith(':') && actual) parameter = actual;
    else if (part !== actual) return null;
  }
  return parameter;
}

function splitOnce(text: string, mark: string): string[] {
  const at = text.indexOf(mark);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + mark.length)];
}
