import { NotAuthenticatedError } from '../../errors.ts';
import type { Caller } from '../../graphql/context.ts';
import type { Log } from '../../log.ts';
import { type Authenticate, nobody } from './authenticate.ts';

/**
 * One look at the clock serves all: a timer of its own for each connection would be wrong from 2^31 milliseconds on,
 * which are 25 days, and would not follow a clock that is set.
 */
const lookEveryMs = 250;

/** With keys that are read again every ten seconds a credential that was withdrawn ends in well under thirty. */
const checkEveryMs = 5_000;

type Session = {
  caller: Caller;
  authorization: string;
  checkedAtMs: number;
  end: () => void;
};

export type Sessions = ReturnType<typeof createSessions>;

/**
 * A connection outlives the request that signed in: it ends when its token expires, and when what it signed in with
 * does not hold any more or gives other scopes. Its client comes back with a fresh one, if it has any.
 */
export function createSessions(parts: { authenticate: Authenticate; now: () => Date; log: Log }) {
  const authorizations = new WeakMap<Caller, string>();
  const open = new Set<Session>();

  function end(session: Session): void {
    if (open.delete(session)) session.end();
  }

  async function check(session: Session): Promise<void> {
    try {
      const caller = await parts.authenticate(session.authorization);
      if (!isSame(caller, session.caller)) end(session);
    } catch (thrown) {
      if (thrown instanceof NotAuthenticatedError) end(session);
      else parts.log.error({ err: thrown }, 'a connected caller could not be checked');
    }
  }

  function look(): void {
    const nowMs = parts.now().getTime();
    for (const session of [...open]) {
      const { expiresAt } = session.caller;
      if (expiresAt !== null && expiresAt.getTime() <= nowMs) end(session);
      else if (nowMs - session.checkedAtMs >= checkEveryMs) {
        session.checkedAtMs = nowMs;
        void check(session);
      }
    }
  }

  const timer = setInterval(look, lookEveryMs).unref();

  return {
    /** A bad token makes the caller nobody, so that each field answers with its own typed NotAuthenticatedError. */
    async signIn(authorization: string | null | undefined): Promise<Caller> {
      try {
        const caller = await parts.authenticate(authorization);
        if (caller.isAuthenticated && authorization) authorizations.set(caller, authorization);
        return caller;
      } catch (thrown) {
        if (thrown instanceof NotAuthenticatedError) return nobody;
        throw thrown;
      }
    },

    /** Calls `end` once, when the caller's time is over. `signal`: the connection is gone, and there is nothing to end. */
    watch(caller: Caller, connection: { end: () => void; signal: AbortSignal }): void {
      const authorization = authorizations.get(caller);
      if (authorization === undefined || connection.signal.aborted) return;
      // Many that came at the same moment, as after a restart, are not all checked at the same moment.
      const checkedAtMs = parts.now().getTime() - Math.random() * checkEveryMs;
      const session: Session = { caller, authorization, checkedAtMs, end: connection.end };
      open.add(session);
      connection.signal.addEventListener('abort', () => open.delete(session), { once: true });
    },

    stop: () => clearInterval(timer),
  };
}

function isSame(one: Caller, other: Caller): boolean {
  return one.owner === other.owner && one.scopes.symmetricDifference(other.scopes).size === 0;
}
