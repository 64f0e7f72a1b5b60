import type { Log } from '../log.ts';

export const scopes = [
  'lipsync:read',
  'lipsync:write',
  'videos:read',
  'videos:write',
  'admin',
] as const;
export type Scope = (typeof scopes)[number];

/** Who asks. */
export type Caller = {
  /**
   * Whose rows these are: `jwt:<iss>:<sub>`, `key:<name>`, `anonymous`, or `nobody`, who owns nothing. A `:` or `%` in
   * the `sub` is percent-encoded, so that no two pairs of issuer and subject make the same owner.
   */
  owner: string;
  /** For people to read; two callers may share it. */
  name: string;
  /** False for the anonymous caller and for nobody. */
  isAuthenticated: boolean;
  scopes: ReadonlySet<Scope>;
  /** From when on a connection of this caller must sign in again; null: never. */
  expiresAt: Date | null;
  /** The JWT's `jti`, or null. */
  tokenId: string | null;
};

/** What the product does, by slice. Each slice's `schema.ts` adds its own service here; `app.ts` builds them all. */
// biome-ignore lint/suspicious/noEmptyInterface: slices extend it by declaration merging.
export interface Services {}

export type Context = {
  caller: Caller;
  services: Services;
  requestId: string;
  /** Aborts when the caller leaves: reads for nobody are given up. */
  signal: AbortSignal;
  log: Log;
  /** What an EventSource that came back says it saw last; null on other transports. */
  lastEventId: string | null;
};
