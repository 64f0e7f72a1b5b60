import type { JWTPayload, JWTVerifyOptions } from 'jose';
import { createRemoteJWKSet, decodeProtectedHeader, errors, jwtVerify } from 'jose';
import type { Log } from '../log.ts';

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
  const keySet = createRemoteJWKSet(new URL(options.jwksUrl), {
    timeoutDuration: 5_000,
    cooldownDuration: 30_000,
  });
  let silentUntilMs = 0;
  const reportOutage = (error: unknown) => {
    const nowMs = options.now().getTime();
    if (nowMs < silentUntilMs) return;
    silentUntilMs = nowMs + outageLogEveryMs;
    options.log.error(
      { err: error },
      'AUTH_JWKS_URL gives no keys: nobody can sign in with a JWT.',
    );
  };
  return async (token) => {
    try {
      const demands = { ...demandsOf(options), algorithms: asymmetric };
      return (await jwtVerify(token, keySet, demands)).payload;
    } catch (error) {
      if (isOutage(error)) reportOutage(error);
      throw error;
    }
  };
}

function demandsOf({ issuer, audience, now }: JwtOptions): JWTVerifyOptions {
  return {
    ...(issuer === null ? {} : { issuer }),
    ...(audience === null ? {} : { audience }),
    requiredClaims: ['exp', 'sub'],
    clockTolerance: 5,
    currentDate: now(),
  };
}

/** True where the key set could not be had, as opposed to a token that does not fit it. */
function isOutage(error: unknown): boolean {
  if (!(error instanceof errors.JOSEError)) return true;
  const outages: string[] = ['ERR_JOSE_GENERIC', errors.JWKSTimeout.code, errors.JWKSInvalid.code];
  return outages.includes(error.code);
}
