import type { HttpBindings } from '@hono/node-server';
import { Hono, type MiddlewareHandler } from 'hono';
import { ApiError } from '../api-error.ts';
import { takePathFault } from '../faults/path-faults.ts';
import { accountRoutes } from './accounts.ts';
import { pause } from './connection.ts';
import type { SandboxEnv } from './context.ts';
import { controlRoutes } from './control.ts';
import { faultResponse } from './fault-response.ts';
import { fileRoutes } from './files.ts';
import { lipsyncRoutes } from './lipsyncs.ts';
import { mediaRoutes } from './media.ts';
import { API_BASE, errorResponse } from './responses.ts';
import { schedulerRoutes } from './scheduler.ts';
import { videoRoutes } from './videos.ts';

/** Records the request, and sends or breaks off the response after its delay. */
const logAndDelay: MiddlewareHandler<SandboxEnv> = async (c, next) => {
  const { incoming, outgoing, state } = c.env;
  const logged = state.requestLog.add({
    method: c.req.method,
    path: (incoming.url ?? '').slice(API_BASE.length),
    headers: incoming.headers,
  });
  c.set('logged', logged);
  outgoing.once('close', () => {
    logged.status ??= 'aborted';
  });
  await next();
  await pause(state.switches.current.delayMs, outgoing);
  const fault = c.get('connectionFault');
  logged.status = fault?.loggedAs ?? c.res.status;
  await fault?.apply(outgoing);
};

/** Faults come before the token check and the routes: a path can fail for any client. */
const injectFaults: MiddlewareHandler<SandboxEnv> = async (c, next) => {
  const { outgoing, state } = c.env;
  if (state.switches.consume('burst5xx')) throw new ApiError(503);
  const path = c.req.path.slice(API_BASE.length);
  const fault = takePathFault(state.switches, { method: c.req.method, path });
  if (fault?.effect !== 'before') await next();
  if (!fault) return;
  await pause(fault.delayMs, outgoing);
  // Without this Hono would copy the headers of the replaced response.
  c.res = undefined;
  c.res = faultResponse(c, fault);
};

const requireToken: MiddlewareHandler<SandboxEnv> = async (c, next) => {
  if (c.req.header('authorization') !== `Bearer ${c.env.state.token}`) throw new ApiError(401);
  await next();
};

/**
 * A page can rebind its DNS name to the loopback address, and would then read accounts and use the control paths. Its
 * requests still carry that name as their Host.
 */
const requireLoopbackName: MiddlewareHandler<SandboxEnv> = async (c, next) => {
  const [host = '', ...more] = c.env.incoming.headersDistinct.host ?? [];
  if (more.length > 0) throw new ApiError(400, 'Several Host headers');
  if (!/^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i.test(host)) {
    throw new ApiError(421, 'The sandbox answers only to loopback names.');
  }
  await next();
};

const api = new Hono<SandboxEnv>()
  .use(logAndDelay, injectFaults, requireToken)
  .route('/', lipsyncRoutes)
  .route('/', videoRoutes)
  .route('/', fileRoutes)
  .route('/', accountRoutes)
  .route('/', schedulerRoutes);
for (const path of new Set(api.routes.map((route) => route.path))) {
  if (path !== '/*') {
    api.all(path, () => {
      throw new ApiError(405, 'Method not allowed');
    });
  }
}

/** Everything that the sandbox's port answers: media, the control of the sandbox, and the API. */
export const app = new Hono<SandboxEnv>({
  getPath: (_request, options) => readRawPath(options?.env?.incoming),
})
  .use(requireLoopbackName)
  .route('/', mediaRoutes)
  .route('/_sandbox', controlRoutes)
  .route(API_BASE, api)
  .notFound((c) => errorResponse(c, new ApiError(404, 'Not found')))
  .onError((error, c) => errorResponse(c, error));

/**
 * The undecoded path, because ids are sent raw and a percent-encoded id must be refused. A trailing slash is removed and
 * never redirected: a redirected POST would lose its body.
 */
function readRawPath(incoming: HttpBindings['incoming'] | undefined): string {
  const [path = '/'] = (incoming?.url ?? '/').split('?');
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}
