import type { Caller, Scope } from './context.ts';
import { refusalOf } from './refusal.ts';

export type NodeRule = {
  /** What the caller must have. */
  scope: Scope;
  /** Whether it may ask at all. Default: it has the scope. */
  isAllowed?: (caller: Caller) => boolean;
};

const rules = new Map<string, NodeRule>();

/** Who may ask for objects of this type by their ids. */
export function setNodeRule(typename: string, rule: NodeRule): void {
  rules.set(typename, rule);
}

/** Null, or why this caller may ask for none of that type: which tells it apart from a missing one. */
export function nodeRefusal(typename: string, caller: Caller) {
  const rule = rules.get(typename);
  if (rule === undefined) return null;
  const { scope, isAllowed = ({ scopes }) => scopes.has(scope) } = rule;
  return isAllowed(caller) ? null : refusalOf(caller, scope);
}
