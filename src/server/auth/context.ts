import { initContextCache } from '@pothos/core';
import type { Context, Services } from '../../graphql/context.ts';
import type { Log } from '../../log.ts';
import type { Sessions } from './sessions.ts';

/** What a door knows of a request or a connection. */
export type Origin = {
  authorization: string | null | undefined;
  requestId: string;
  lastEventId: string | null;
  signal: AbortSignal;
};

export type ContextFactory = (origin: Origin) => Promise<Context>;

/** The same context for every door. */
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
