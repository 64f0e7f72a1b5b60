import type { CreateLipsyncInput } from 'lipsync-graphql-client';

/** What was asked for and not answered yet, with its key. */
export type Pending = { idempotencyKey: string; input: CreateLipsyncInput };

const key = 'pending';

export function readPending(): Pending | null {
  const kept = sessionStorage.getItem(key);
  return kept === null ? null : (JSON.parse(kept) as Pending);
}

/**
 * Kept before it is sent, so that a reload before the answer asks for the same lip-sync, and pays for one. Where the same
 * is asked for again because no answer came, it keeps its key as well.
 */
export function keepPending(input: CreateLipsyncInput): Pending {
  const last = readPending();
  const isSame = last !== null && JSON.stringify(last.input) === JSON.stringify(input);
  const pending = isSame ? last : { idempotencyKey: makeKey(), input };
  sessionStorage.setItem(key, JSON.stringify(pending));
  return pending;
}

/** The answer is there. */
export function forgetPending(): void {
  sessionStorage.removeItem(key);
}

/** `randomUUID` is there on https and localhost only. */
function makeKey(): string {
  return crypto.getRandomValues(new Uint32Array(4)).join('-');
}
