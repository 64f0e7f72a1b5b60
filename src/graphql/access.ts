import { type Failure, NotAuthenticatedError, NotAuthorizedError } from '../errors.ts';
import type { Caller, Scope } from './context.ts';

export type NodeRule = {
  /** The scope that the caller needs; also the scope that the failure names. */
  scope: Scope;
  /** Replaces the check for `scope` where a type needs another condition. */
  isAllowed?: (caller: Caller) => boolean;
};

const nodeRules = new Map<string, NodeRule>();

/** Sets which callers can read objects of this type by their ids. */
export function setNodeRule(typename: string, rule: NodeRule): void {
  nodeRules.set(typename, rule);
}

/** The failure for a caller without access to this type; null if it has access. A missing object is not a failure. */
export function nodeAccessFailure(typename: string, caller: Caller): Failure | null {
  const rule = nodeRules.get(typename);
  if (rule === undefined) return null;
  const { scope, isAllowed = ({ scopes }) => scopes.has(scope) } = rule;
  return isAllowed(caller) ? null : accessFailure(caller, scope);
}

/** The failure for a caller without the scope: not authenticated, or not authorized. */
export function accessFailure(caller: Caller, scope: string): Failure {
  return isAdmitted(caller) ? new NotAuthorizedError(scope) : new NotAuthenticatedError();
}

/** True for an authenticated caller, and for the anonymous caller where `ALLOW_ANONYMOUS` lets it in. */
export function isAdmitted({ isAuthenticated, owner }: Caller): boolean {
  return isAuthenticated || owner === 'anonymous';
}
