import type { JWTPayload, JWTVerifyOptions } from 'jose';
import { createRemoteJWKSet, decodeProtectedHeader, errors, jwtVerify } from 'jose';
import type { Log } from '../../log.ts';

export type JwtOptions = {
  /** Where the issuer's public keys are; null: no token signed with a private key is taken. */
  jwksUrl: string | null;
  /** The shared secret of HS256 tokens; null: none of these is taken. */
  jwtSecret: string | null;
  /** Checked on tokens of both kinds; null: any. */
  issuer: string | null;
  audience: string | null;
  log: Log;
  now: () => Date;
};

/** The claims of a token that holds, or null. It never rejects because of what is in the token. */
export type VerifyJwt = (token: string) => Promise<JWTPayload | null>;

/**
 * What a key set may verify. Without HS256 nobody can sign with the text of a public key, and without "none" nobody
 * need sign at all (RFC 8725, 3.1).
 */
const asymmetric = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];

/** A key that its issuer withdrew verifies nothing after this, where the issuer answers at once. */
const keysFreshMs = 10_000;

/** A stranger can make us ask for the key set with every request while it is down; the log is spared. */
const outageLogEveryMs = 60_000;

export function createJwtVerifier(options: JwtOptions): VerifyJwt {
  const verifyBySecret = createSecretVerifier(options);
  const verifyByKeySet = createKeySetVerifier(options);
  return async (token) => {
    try {
      // The header only chooses the method; each method then accepts its own algorithms and no other.
      const { alg } = decodeProtectedHeader(token);
      const verify = alg === 'HS256' ? verifyBySecret : verifyByKeySet;
      return verify ? await verify(token) : null;
    } catch (error) {
      const reason = error instanceof errors.JOSEError ? error.code : 'not a JWT';
      options.log.debug({ reason }, 'A token was refused.');
      return null;
    }
  };
}

function createSecretVerifier(options: JwtOptions): VerifyJwt | null {
  if (options.jwtSecret === null) return null;
  const secret = new TextEncoder().encode(options.jwtSecret);
  return async (token) =>
    (await jwtVerify(token, secret, { ...demandsOf(options), algorithms: ['HS256'] })).payload;
}

function createKeySetVerifier(options: JwtOptions): VerifyJwt | null {
  if (options.jwksUrl === null) return null;
  const readKeySet = createKeySetReader(new URL(options.jwksUrl), options);
  return async (token) => {
    const keySet = await readKeySet();
    const demands = { ...demandsOf(options), algorithms: asymmetric };
    return keySet === null ? null : (await jwtVerify(token, keySet, demands)).payload;
  };
}

/**
 * The key set, young enough to trust; null where it was never had. While it can't be read, the one read last is believed:
 * an issuer that is down for a while must not throw out everybody who has signed in.
 */
function createKeySetReader(url: URL, { now, log }: JwtOptions) {
  // When to read it is decided here, by our clock: jose would refuse everybody once its cache is old and a read fails.
  const keySet = createRemoteJWKSet(url, {
    timeoutDuration: 5_000,
    cacheMaxAge: Number.POSITIVE_INFINITY,
    cooldownDuration: Number.POSITIVE_INFINITY,
  });
  let isKnown = false;
  let readAtMs = Number.NEGATIVE_INFINITY;
  let silentUntilMs = Number.NEGATIVE_INFINITY;

  function reportOutage(error: unknown, nowMs: number): void {
    if (nowMs < silentUntilMs) return;
    silentUntilMs = nowMs + outageLogEveryMs;
    log.error({ err: error }, isKnown ? staleKeys : noKeys);
  }

  return async () => {
    const nowMs = now().getTime();
    if (isKnown && nowMs - readAtMs < keysFreshMs) return keySet;
    // Those who come while it is being read again go on with the keys that are here.
    readAtMs = nowMs;
    try {
      await keySet.reload();
      isKnown = true;
    } catch (error) {
      reportOutage(error, nowMs);
    }
    return isKnown ? keySet : null;
  };
}

const noKeys = 'AUTH_JWKS_URL gives no keys: nobody can sign in with a JWT.';
const staleKeys = 'AUTH_JWKS_URL gives no keys: those that it gave last are still believed.';

function demandsOf({ issuer, audience, now }: JwtOptions): JWTVerifyOptions {
  return {
    ...(issuer === null ? {} : { issuer }),
    ...(audience === null ? {} : { audience }),
    requiredClaims: ['sub'],
    clockTolerance: 5,
    currentDate: now(),
  };
}
