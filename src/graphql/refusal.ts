import { type Failure, NotAuthenticatedError, NotAuthorizedError } from '../errors.ts';
import type { Caller } from './context.ts';

/** Why a caller without the scope is refused: as nobody, or for lack of it. */
export function refusalOf(caller: Caller, scope: string): Failure {
  return isSomebody(caller) ? new NotAuthorizedError(scope) : new NotAuthenticatedError();
}

/** False only for who brought no token, or a bad one, where anonymous callers are not let in. */
export function isSomebody({ isAuthenticated, owner }: Caller): boolean {
  return isAuthenticated || owner === 'anonymous';
}
