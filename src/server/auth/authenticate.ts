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
  /** Whether a caller without a token is somebody: the one owner `anonymous`. */
  allowAnonymous: boolean;
  /** The anonymous caller has every scope but `admin`; true gives that too (sandbox). */
  anonymousIsAdmin: boolean;
  jwksUrl: string | null;
  jwtSecret: string | null;
  /** Checked on every JWT, whichever way it is signed, where not null. */
  issuer: string | null;
  audience: string | null;
  apiKeys: readonly ApiKey[];
  /** Further keys, which may change at any time. */
  keyFile?: { keys: () => readonly ApiKey[] } | null;
  log: Log;
  /** The clock, for tests. */
  now?: () => Date;
};

/**
 * @param authorization the header of HTTP or the `authorization` of `connection_init`: `Bearer <JWT or API key>`.
 * @throws NotAuthenticatedError on anything there that does not hold, also where no token would have been needed: a
 *   caller whose token is bad must hear of it, not find its own lip-syncs missing.
 */
export type Authenticate = (authorization: string | null | undefined) => Promise<Caller>;

/** More than any header that Node's HTTP server takes; a WebSocket message has no such limit of its own. */
const maxAuthorizationLength = 16_384;

/** OpenID Connect Core, 2 allows a `sub` of 255; with it an owner fits an index row of PostgreSQL. */
const maxClaimLength = 255;

export function createAuthenticator(options: AuthenticatorOptions): Authenticate {
  const verifyJwt = openJwtVerifier(options);
  const findApiKey = createKeyring(options);
  const withoutToken = options.allowAnonymous ? anonymous(options.anonymousIsAdmin) : nobody;
  return async (authorization) => {
    if (authorization === null || authorization === undefined) return withoutToken;
    if (authorization.length > maxAuthorizationLength) throw new NotAuthenticatedError();
    const [, token] = /^bearer +(\S+) *$/i.exec(authorization) ?? [];
    if (token === undefined) throw new NotAuthenticatedError();
    const caller = findApiKey(token) ?? readClaims(await verifyJwt(token));
    if (caller === null) throw new NotAuthenticatedError();
    return caller;
  };
}

/** What verifies JWTs is read only where some are taken. */
function openJwtVerifier(options: AuthenticatorOptions): VerifyJwt {
  if (options.jwksUrl === null && options.jwtSecret === null) return async () => null;
  const verifier = import('./jwt.ts').then(({ createJwtVerifier }) =>
    createJwtVerifier({ now: () => new Date(), ...options }),
  );
  return async (token) => (await verifier)(token);
}

/** Who has no valid token: it owns nothing and may do nothing. */
export const nobody: Caller = {
  owner: 'nobody',
  name: 'nobody',
  isAuthenticated: false,
  scopes: new Set(),
  expiresAt: null,
  tokenId: null,
};

function anonymous(isAdmin: boolean): Caller {
  const granted = scopes.filter((scope) => isAdmin || scope !== 'admin');
  return { ...nobody, owner: 'anonymous', name: 'anonymous', scopes: new Set(granted) };
}

/** Every key is compared, in constant time, so that the answer's delay says nothing about which came near. */
function createKeyring({ apiKeys, keyFile }: Pick<AuthenticatorOptions, 'apiKeys' | 'keyFile'>) {
  return (token: string): Caller | null => {
    const presented = createHash('sha256').update(token).digest();
    const [match] = [...apiKeys, ...(keyFile?.keys() ?? [])].filter(({ sha256 }) =>
      timingSafeEqual(Buffer.from(sha256, 'hex'), presented),
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

function readClaims(claims: JWTPayload | null): Caller | null {
  if (claims === null) return null;
  const { iss = '', sub, exp, jti, name, scope } = claims;
  if (!isOwnable(sub) || sub === '' || !isOwnable(iss)) return null;
  const granted = typeof scope === 'string' ? scope.split(' ') : [];
  return {
    owner: `jwt:${iss}:${sub.replace(/[%:]/g, encodeURIComponent)}`,
    name: typeof name === 'string' && name !== '' ? name : sub,
    isAuthenticated: true,
    scopes: new Set(scopes.filter((each) => granted.includes(each))),
    expiresAt: exp === undefined ? null : new Date(Math.min(exp * 1000, maxDateMs)),
    tokenId: typeof jti === 'string' ? jti : null,
  };
}

const maxDateMs = 8.64e15;

/**
 * True for what PostgreSQL keeps as it is. It refuses U+0000, and half a surrogate pair would reach it as U+FFFD, so
 * that two subjects became one owner.
 */
function isOwnable(claim: unknown): claim is string {
  return (
    typeof claim === 'string' &&
    claim.length <= maxClaimLength &&
    claim.isWellFormed() &&
    !/\p{Cc}/u.test(claim)
  );
}
