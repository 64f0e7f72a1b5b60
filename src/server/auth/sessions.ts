import { NotAuthenticatedError } from '../../errors.ts';
import type { Caller, Context, Services } from '../../graphql/context.ts';
import type { Log } from '../../log.ts';
import type { TraceContext } from '../../tracing/tracer.ts';
import { type Authenticate, unauthenticatedCaller } from './authenticate.ts';
import { clockToleranceMs } from './clock-tolerance.ts';

/**
 * How often expiry is checked, for all sessions together. A timer for each session would fire too early past 2^31
 * milliseconds, which is 25 days, and would not follow changes of the system clock.
 */
const tickMs = 250;

/**
 * How often each session authenticates again. Keys are read again every ten seconds, so a revoked credential loses its
 * connections in well under thirty seconds.
 */
const recheckEveryMs = 5_000;

type Session = {
  caller: Caller;
  authorization: string;
  checkedAtMs: number;
  end: () => void;
};

export type Sessions = ReturnType<typeof createSessions>;

/**
 * Ends long-lived connections when their credential is not valid any more. A connection outlives the request that signed in:
 * it ends when its token expires or is revoked, or when its scopes change. The client then reconnects with a new token.
 */
export function createSessions(parts: { authenticate: Authenticate; now: () => Date; log: Log }) {
  const authorizations = new WeakMap<Caller, string>();
  const sessions = new Set<Session>();

  function end(session: Session): void {
    if (sessions.delete(session)) session.end();
  }

  async function recheck(session: Session): Promise<void> {
    try {
      const caller = await parts.authenticate(session.authorization);
      if (!hasSameRights(caller, session.caller)) end(session);
    } catch (thrown) {
      if (thrown instanceof NotAuthenticatedError) end(session);
      else parts.log.error({ err: thrown }, 'the credential of a connection could not be checked');
    }
  }

  async function signInWith(authorization: string): Promise<Caller> {
    try {
      const caller = await parts.authenticate(authorization);
      if (caller.isAuthenticated) authorizations.set(caller, authorization);
      return caller;
    } catch (thrown) {
      if (thrown instanceof NotAuthenticatedError) return unauthenticatedCaller;
      throw thrown;
    }
  }

  function checkAll(): void {
    const nowMs = parts.now().getTime();
    for (const session of [...sessions]) {
      if (isExpired(session.caller, new Date(nowMs))) end(session);
      else if (nowMs - session.checkedAtMs >= recheckEveryMs) {
        session.checkedAtMs = nowMs;
        void recheck(session);
      }
    }
  }

  const timer = setInterval(checkAll, tickMs).unref();

  return {
    /** Signs in without throwing: with an invalid token each field returns its own typed NotAuthenticatedError. */
    signIn(authorization: string | null | undefined): Caller | Promise<Caller> {
      // The caller without a token needs no promise.
      return authorization == null ? parts.authenticate(authorization) : signInWith(authorization);
    },

    /** Calls `end` once, when the caller's credential stops being valid. `signal` aborts when the connection closes. */
    watch(caller: Caller, connection: { end: () => void; signal: AbortSignal }): void {
      const authorization = authorizations.get(caller);
      if (authorization === undefined || connection.signal.aborted) return;
      // The random offset spreads the checks of clients that connect at the same moment, as after a restart.
      const checkedAtMs = parts.now().getTime() - Math.random() * recheckEveryMs;
      const session: Session = { caller, authorization, checkedAtMs, end: connection.end };
      sessions.add(session);
      connection.signal.addEventListener('abort', () => sessions.delete(session), { once: true });
    },

    /** Whether the credential has expired. The connection ends at the next check. */
    isExpired: (caller: Caller) => isExpired(caller, parts.now()),

    stop: () => clearInterval(timer),
  };
}

/** The credential of a request is accepted with the same tolerance after its expiry. */
function isExpired({ expiresAt }: Caller, now: Date): boolean {
  return expiresAt !== null && expiresAt.getTime() + clockToleranceMs <= now.getTime();
}

function hasSameRights(one: Caller, other: Caller): boolean {
  return one.owner === other.owner && one.scopes.symmetricDifference(other.scopes).size === 0;
}

/** What a transport knows of an HTTP request or a WebSocket connection. */
export type RequestOrigin = {
  authorization: string | null | undefined;
  requestId: string;
  /** The trace of the caller, if it sent one. */
  trace: TraceContext | null;
  lastEventId: string | null;
  signal: AbortSignal;
};

export type ContextFactory = (origin: RequestOrigin) => Context | Promise<Context>;

/** Creates the GraphQL context, the same way for every transport. */
export function createContextFactory(parts: {
  sessions: Pick<Sessions, 'signIn'>;
  services: Services;
  log: Log;
}): ContextFactory {
  const create = (origin: RequestOrigin, caller: Caller): Context => {
    const { requestId, lastEventId } = origin;
    let log: Log | undefined;
    return {
      caller,
      services: parts.services,
      requestId,
      trace: origin.trace,
      // These two are made when they are used: most operations need neither.
      get log() {
        log ??= parts.log.child({ requestId });
        return log;
      },
      lastEventId,
      get signal() {
        return origin.signal;
      },
    };
  };
  return (origin) => {
    const caller = parts.sessions.signIn(origin.authorization);
    return caller instanceof Promise
      ? caller.then((signedIn) => create(origin, signedIn))
      : create(origin, caller);
  };
}
