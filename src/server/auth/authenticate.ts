import { createHash, timingSafeEqual } from 'node:crypto';
import type { JWTPayload } from 'jose';
import { NotAuthenticatedError } from '../../errors.ts';
import { type Caller, type Scope, scopes } from '../../graphql/context.ts';
import type { Log } from '../../log.ts';
import type { VerifyJwt } from './jwt.ts';

export type ApiKey = {
  name: string;
  /** Of the key's UTF-8 bytes, in lower-case hexadecimal. */
  sha256: string;
  scopes: readonly Scope[];
};

export type AuthenticatorOptions = {
  /** True: a caller without a token is the owner `anonymous`. False: it owns nothing and has no scopes. */
  allowAnonymous: boolean;
  /** The anonymous caller has every scope but `admin`; true adds `admin` (sandbox). */
  anonymousIsAdmin: boolean;
  jwksUrl: string | null;
  jwtSecrets: readonly string[] | null;
  /** Checked on every JWT, with either kind of signature; null: not checked. */
  issuer: string | null;
  audience: string | null;
  /** Whether a JWT without `exp` is accepted. */
  allowsNoExpiry: boolean;
  apiKeys: readonly ApiKey[];
  /** More keys, which can change at any time. */
  keyFile?: { keys: () => readonly ApiKey[] } | null;
  log: Log;
  /** The clock, for tests. */
  now?: () => Date;
};

/**
 * Returns the caller without a token synchronously: a promise would cost time on each request.
 *
 * @param authorization the HTTP header, or `authorization` in `connection_init`: `Bearer <JWT or API key>`. A blank text
 *   counts as missing: Apollo's auth link sends one when there is no token
 * @throws NotAuthenticatedError on an invalid token, also where anonymous callers are allowed: a caller with an expired
 *   token must get an error and not an empty list of lip-syncs
 */
export type Authenticate = (authorization: string | null | undefined) => Caller | Promise<Caller>;

/** Longer than any header that Node's HTTP server accepts. A WebSocket message has no such limit of its own. */
const maxAuthorizationLength = 16_384;

/** OpenID Connect Core, section 2, limits `sub` to 255. At this length an owner fits into an index row of PostgreSQL. */
const maxClaimLength = 255;

export function createAuthenticator(options: AuthenticatorOptions): Authenticate {
  const verifyJwt = openJwtVerifier(options);
  const findApiKey = createApiKeyLookup(options);
  const tokenlessCaller = options.allowAnonymous
    ? createAnonymousCaller(options.anonymousIsAdmin)
    : unauthenticatedCaller;
  const signIn = async (authorization: string): Promise<Caller> => {
    if (authorization.length > maxAuthorizationLength) throw new NotAuthenticatedError();
    const [, token] = /^bearer +(\S+) *$/i.exec(authorization) ?? [];
    if (token === undefined) throw new NotAuthenticatedError();
    const caller = findApiKey(token) ?? toCaller(await verifyJwt(token));
    if (caller === null) throw new NotAuthenticatedError();
    return caller;
  };
  return (authorization) =>
    authorization == null || authorization.trim() === '' ? tokenlessCaller : signIn(authorization);
}

/** The JWT library is loaded only if JWTs are configured, to keep startup short. */
function openJwtVerifier(options: AuthenticatorOptions): VerifyJwt {
  if (options.jwksUrl === null && options.jwtSecrets === null) return async () => null;
  const verifier = import('./jwt.ts').then(({ createJwtVerifier }) =>
    createJwtVerifier({ now: () => new Date(), ...options }),
  );
  return async (token) => (await verifier)(token);
}

/** A caller without a valid token where anonymous callers are not allowed: it owns nothing and has no scopes. */
export const unauthenticatedCaller: Caller = {
  owner: 'nobody',
  name: 'nobody',
  isAuthenticated: false,
  scopes: new Set(),
  expiresAt: null,
  tokenId: null,
};

function createAnonymousCaller(isAdmin: boolean): Caller {
  const granted = scopes.filter((scope) => isAdmin || scope !== 'admin');
  return {
    ...unauthenticatedCaller,
    owner: 'anonymous',
    name: 'anonymous',
    scopes: new Set(granted),
  };
}

const hashes = new WeakMap<ApiKey, Buffer>();

function hashOf(key: ApiKey): Buffer {
  const hash = hashes.get(key) ?? Buffer.from(key.sha256, 'hex');
  hashes.set(key, hash);
  return hash;
}

/** Compares with every key, each in constant time, so that the response time reveals nothing about the keys. */
function createApiKeyLookup({
  apiKeys,
  keyFile,
}: Pick<AuthenticatorOptions, 'apiKeys' | 'keyFile'>) {
  return (token: string): Caller | null => {
    const presented = createHash('sha256').update(token).digest();
    const [match] = [...apiKeys, ...(keyFile?.keys() ?? [])].filter((key) =>
      timingSafeEqual(hashOf(key), presented),
    );
    if (match === undefined) return null;
    const { name, scopes: granted } = match;
    return {
      owner: `key:${name}`,
      name,
      isAuthenticated: true,
      scopes: new Set(granted),
      expiresAt: null,
      tokenId: null,
    };
  };
}

function toCaller(claims: JWTPayload | null): Caller | null {
  if (claims === null) return null;
  const { iss = '', sub, exp, jti, name } = claims;
  if (!isStorable(sub) || sub === '' || !isStorable(iss) || !isExpiry(exp)) return null;
  const granted = readScopes(claims);
  return {
    owner: `jwt:${iss}:${sub.replace(/[%:]/g, encodeURIComponent)}`,
    name: typeof name === 'string' && name !== '' ? name : sub,
    isAuthenticated: true,
    scopes: new Set(scopes.filter((scope) => granted.has(scope))),
    expiresAt: exp === undefined ? null : new Date(exp * 1000),
    tokenId: typeof jti === 'string' ? jti : null,
  };
}

/**
 * The scopes of a token, from every claim that identity providers use for them: `scope` (RFC 8693; Keycloak, Auth0),
 * `scp` (Entra ID, Okta) and `permissions` (Auth0 with RBAC). Each is a text separated by spaces, or an array of texts.
 */
function readScopes({ scope, scp, permissions }: JWTPayload): ReadonlySet<string> {
  const values = [scope, scp, permissions].flat();
  return new Set(values.flatMap((value) => (typeof value === 'string' ? value.split(' ') : [])));
}

/** The last second of the year 9999. A later `exp` is in milliseconds by mistake, or means a token that never expires. */
const maxExpirySeconds = 253_402_300_799;

/** True for a NumericDate of RFC 7519, and for a token without an expiry, which the verifier has admitted. */
function isExpiry(exp: number | undefined): boolean {
  return exp === undefined || exp <= maxExpirySeconds;
}

/**
 * True if PostgreSQL stores the claim unchanged. It rejects U+0000, and half a surrogate pair would reach it as U+FFFD,
 * which would make one owner of two subjects.
 */
function isStorable(claim: unknown): claim is string {
  return (
    typeof claim === 'string' &&
    claim.length <= maxClaimLength &&
    claim.isWellFormed() &&
    !/\p{Cc}/u.test(claim)
  );
}
