import type { CreateLipsyncInput } from 'lipsync-graphql-client';

/** A request without an answer yet, and its key. */
export type PendingRequest = { idempotencyKey: string; input: CreateLipsyncInput };

const storageKey = 'pending';

export function readPendingRequest(): PendingRequest | null {
  const stored = sessionStorage.getItem(storageKey);
  return stored === null ? null : (JSON.parse(stored) as PendingRequest);
}

/**
 * Stores the request before it is sent, so that a reload before the answer repeats it with the same key and pays once.
 * The same input keeps its key when the user tries again after a missing answer.
 */
export function storePendingRequest(input: CreateLipsyncInput): PendingRequest {
  const last = readPendingRequest();
  const isSame = last !== null && JSON.stringify(last.input) === JSON.stringify(input);
  const pending = isSame ? last : { idempotencyKey: makeKey(), input };
  sessionStorage.setItem(storageKey, JSON.stringify(pending));
  return pending;
}

/** Call it when the answer has arrived. */
export function clearPendingRequest(): void {
  sessionStorage.removeItem(storageKey);
}

/** Browsers have `randomUUID` only in secure contexts: https and localhost. */
function makeKey(): string {
  return crypto.getRandomValues(new Uint32Array(4)).join('-');
}
