import { initContextCache } from '@pothos/core';
import { NotAuthenticatedError } from '../errors.ts';
import type { Caller, Context, Services } from '../graphql/context.ts';
import type { Log } from '../log.ts';
import { type Authenticate, nobody } from './caller.ts';

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
  authenticate: Authenticate;
  services: Services;
  log: Log;
}): ContextFactory {
  return async ({ authorization, requestId, lastEventId, signal }) => ({
    ...initContextCache(),
    caller: await callerOf(parts.authenticate, authorization),
    services: parts.services,
    requestId,
    log: parts.log.child({ requestId }),
    lastEventId,
    signal,
  });
}

/** A bad token makes the caller nobody, so that each field answers with its own typed NotAuthenticatedError. */
async function callerOf(
  authenticate: Authenticate,
  authorization: string | null | undefined,
): Promise<Caller> {
  try {
    return await authenticate(authorization);
  } catch (thrown) {
    if (thrown instanceof NotAuthenticatedError) return nobody;
    throw thrown;
  }
}
