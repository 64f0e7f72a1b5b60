import { createApiKeys } from '../../../support/api-keys.ts';

export type Owner = 'ann' | 'bob';

/** The outcome of taking one of a resource; anything else is the answer that the owner gets instead. */
export const held = 'held';

/** Takes one of the resource for the owner, and keeps it. */
export type Take = (owner: Owner) => Promise<unknown>;

/** What one owner gets of a bounded resource. */
export type Share = {
  resource: string;
  /** The source file that counts how many are taken. */
  countedIn: string;
  /** How many one owner gets while no other has any. */
  size: number;
  /** All are taken at once, because one by one the first would end before the last is taken. */
  atOnce?: boolean;
  /** What the owner gets instead of another one. */
  answer: unknown;
  /** @param onEnd is called with what releases everything again */
  open(onEnd: (close: () => unknown) => void): Promise<Take>;
};

const scopes = ['lipsync:read', 'lipsync:write', 'videos:read'] as const;

/** Two signed-in owners, and a third for requests that must not count for either of them. */
export const owners = createApiKeys({ ann: scopes, bob: scopes, other: scopes });
