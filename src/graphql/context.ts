import type { Log } from '../log.ts';
import type { Origin, TraceContext } from '../tracing/tracer.ts';

export const scopes = [
  'lipsync:read',
  'lipsync:write',
  'videos:read',
  'videos:write',
  'admin',
] as const;
export type Scope = (typeof scopes)[number];

/** The caller of an operation. */
export type Caller = {
  /**
   * Owner of the rows that the caller can read: `jwt:<iss>:<sub>`, `key:<name>`, `anonymous`, or `nobody`, which owns no
   * rows. A `:` or `%` in `sub` is percent-encoded, so that two pairs of issuer and subject never make the same owner.
   */
  owner: string;
  /** For display only; not unique. */
  name: string;
  /** False for `anonymous` and `nobody`. */
  isAuthenticated: boolean;
  scopes: ReadonlySet<Scope>;
  /** When a connection of this caller must authenticate again; null = never. */
  expiresAt: Date | null;
  /** The JWT's `jti`, or null. */
  tokenId: string | null;
};

/** The services of all slices. Each slice's `schema.ts` declares its own here; `app.ts` creates them. */
// biome-ignore lint/suspicious/noEmptyInterface: slices extend it by declaration merging.
export interface Services {}

export type Context = {
  caller: Caller;
  services: Services;
  requestId: string;
  /** The trace of the caller, if it sent one. */
  trace: TraceContext | null;
  /** Aborts when the client disconnects, so that its reads are cancelled. */
  signal: AbortSignal;
  log: Log;
  /** The `Last-Event-ID` header of a reconnecting EventSource; null on other transports. */
  lastEventId: string | null;
};

/** An input, with the request for the rows that it creates. */
export function withOrigin<T extends object>(
  { requestId, trace }: Pick<Context, 'requestId' | 'trace'>,
  input: T,
): T & { origin: Origin } {
  return { ...input, origin: { requestId, traceparent: trace?.traceparent ?? null } };
}
