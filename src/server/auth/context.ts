import { initContextCache } from '@pothos/core';
import type { Context, Services } from '../../graphql/context.ts';
import type { Log } from '../../log.ts';
import type { Sessions } from './sessions.ts';

/** What a transport knows of an HTTP request or a WebSocket connection. */
export type RequestOrigin = {
  authorization: string | null | undefined;
  requestId: string;
  lastEventId: string | null;
  signal: AbortSignal;
};

export type ContextFactory = (origin: RequestOrigin) => Promise<Context>;

/** Creates the GraphQL context, the same way for every transport. */
export function createContextFactory(parts: {
  sessions: Pick<Sessions, 'signIn'>;
  services: Services;
  log: Log;
}): ContextFactory {
  return async ({ authorization, requestId, lastEventId, signal }) => ({
    ...initContextCache(),
    caller: await parts.sessions.signIn(authorization),
    services: parts.services,
    requestId,
    log: parts.log.child({ requestId }),
    lastEventId,
    signal,
  });
}
