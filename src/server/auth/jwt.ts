import type { JWTPayload, JWTVerifyOptions } from 'jose';
import { createRemoteJWKSet, decodeProtectedHeader, errors, jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';
import type { Log } from '../../log.ts';
import { clockToleranceMs } from './clock-tolerance.ts';

export type JwtOptions = {
  /** The URL of the issuer's public keys; null: tokens signed with a private key are rejected. */
  jwksUrl: string | null;
  /** The shared secrets of HS256 tokens, any of which verifies; null: HS256 tokens are rejected. */
  jwtSecrets: readonly string[] | null;
  /** Checked on tokens of both kinds; null: not checked. */
  issuer: string | null;
  audience: string | null;
  /** Whether a token without `exp` is accepted. */
  allowsNoExpiry: boolean;
  log: Log;
  now: () => Date;
};

/** The claims of a valid token, or null. It never rejects because of the token's content. */
export type VerifyJwt = (token: string) => Promise<JWTPayload | null>;

/**
 * The algorithms that a key set can verify. HS256 is excluded, or anyone could sign with the text of a public key; "none"
 * is excluded, or no signature would be needed (RFC 8725, 3.1).
 */
const keySetAlgorithms = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];

/** How long a key set is used before it is read again: a key that its issuer withdrew is rejected after this time. */
const keySetMaxAgeMs = 10_000;

/** During an outage every request with a token can read the key set again. The error is logged at most this often. */
const outageLogEveryMs = 60_000;

export function createJwtVerifier(options: JwtOptions): VerifyJwt {
  const verifyBySecret = createSecretVerifier(options);
  const verifyByKeySet = createKeySetVerifier(options);
  return async (token) => {
    try {
      // The header only selects the method. Each method accepts its own algorithms and no others.
      const { alg } = decodeProtectedHeader(token);
      const verify = alg === 'HS256' ? verifyBySecret : verifyByKeySet;
      return verify ? await verify(token) : null;
    } catch (error) {
      const reason = error instanceof errors.JOSEError ? error.code : 'not a JWT';
      options.log.debug({ reason }, 'a token was rejected');
      return null;
    }
  };
}

function createSecretVerifier(options: JwtOptions): VerifyJwt | null {
  if (options.jwtSecrets === null) return null;
  const secrets = options.jwtSecrets.map((secret) => new TextEncoder().encode(secret));
  const verified = new VerifiedTokens(options.now);
  return (token) => verified.getOrVerify(token, () => verifyByAny(token, secrets, options));
}

async function verifyByAny(
  token: string,
  secrets: readonly Uint8Array[],
  options: JwtOptions,
): Promise<JWTPayload> {
  const checks = { ...claimChecks(options), algorithms: ['HS256'] };
  for (const secret of secrets) {
    const payload = await verifyByKey(token, secret, checks);
    if (payload !== null) return payload;
  }
  throw new errors.JWSSignatureVerificationFailed();
}

function createKeySetVerifier(options: JwtOptions): VerifyJwt | null {
  if (options.jwksUrl === null) return null;
  const verified = new VerifiedTokens(options.now);
  const onChange = () => verified.clear();
  const readKeySet = createKeySetReader(new URL(options.jwksUrl), { ...options, onChange });
  return async (token) => {
    const keySet = await readKeySet();
    if (keySet === null) return null;
    return verified.getOrVerify(token, async () => {
      const checks = { ...claimChecks(options), algorithms: keySetAlgorithms };
      return verifyByMatchingKey(token, keySet, checks);
    });
  };
}

/** A token does not need to name its key (RFC 7515, 4.1.4). During a rotation several keys then match it. */
async function verifyByMatchingKey(
  token: string,
  keySet: ReturnType<typeof createRemoteJWKSet>,
  checks: JWTVerifyOptions,
): Promise<JWTPayload> {
  try {
    return (await jwtVerify(token, keySet, checks)).payload;
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    for await (const key of error) {
      const payload = await verifyByKey(token, key, checks);
      if (payload !== null) return payload;
    }
    throw new errors.JWSSignatureVerificationFailed();
  }
}

/** Null: another key signed the token. */
async function verifyByKey(
  token: string,
  key: CryptoKey | Uint8Array,
  checks: JWTVerifyOptions,
): Promise<JWTPayload | null> {
  try {
    return (await jwtVerify(token, key, checks)).payload;
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed) return null;
    throw error;
  }
}

/** Checking a signature takes longer than most queries, and a client sends the same token with each. */
class VerifiedTokens {
  readonly #now: () => Date;
  readonly #claims = new LRUCache<string, JWTPayload>({ max: 1_000 });
  #generation = 0;

  constructor(now: () => Date) {
    this.#now = now;
  }

  async getOrVerify(token: string, verify: () => Promise<JWTPayload>): Promise<JWTPayload> {
    const known = this.#claims.get(token);
    if (known !== undefined && !this.#isExpired(known)) return known;
    const generation = this.#generation;
    const claims = await verify();
    // Otherwise the keys changed meanwhile, and the token may have been verified with one that is withdrawn.
    if (generation === this.#generation) this.#claims.set(token, claims);
    return claims;
  }

  clear(): void {
    this.#generation += 1;
    this.#claims.clear();
  }

  #isExpired({ exp }: JWTPayload): boolean {
    return exp !== undefined && exp * 1000 <= this.#now().getTime() - clockToleranceMs;
  }
}

/**
 * The issuer's key set, at most `keySetMaxAgeMs` old; null if it was never read. If it can't be read again, the last one
 * stays in use: a short outage of the issuer must not sign out every caller.
 *
 * @param options.onChange called when the keys are not the same as before
 */
function createKeySetReader(
  url: URL,
  { now, log, onChange }: JwtOptions & { onChange: () => void },
) {
  // The reloads are timed here. With jose's own cache every token would be rejected as soon as one reload fails.
  const keySet = createRemoteJWKSet(url, {
    timeoutDuration: 5_000,
    cacheMaxAge: Number.POSITIVE_INFINITY,
    cooldownDuration: Number.POSITIVE_INFINITY,
  });
  let isLoaded = false;
  let keys = '';
  let readAtMs = Number.NEGATIVE_INFINITY;
  let silentUntilMs = Number.NEGATIVE_INFINITY;

  function logOutage(error: unknown, nowMs: number): void {
    if (nowMs < silentUntilMs) return;
    silentUntilMs = nowMs + outageLogEveryMs;
    log.error({ err: error }, isLoaded ? staleKeys : noKeys);
  }

  return async () => {
    const nowMs = now().getTime();
    if (isLoaded && nowMs - readAtMs < keySetMaxAgeMs) return keySet;
    // Set before the reload: concurrent requests continue with the keys that are loaded.
    readAtMs = nowMs;
    try {
      await keySet.reload();
      isLoaded = true;
      const text = JSON.stringify(keySet.jwks());
      if (text !== keys) onChange();
      keys = text;
    } catch (error) {
      logOutage(error, nowMs);
    }
    return isLoaded ? keySet : null;
  };
}

const noKeys = 'AUTH_JWKS_URL can not be read: all JWTs are rejected.';
const staleKeys = 'AUTH_JWKS_URL can not be read: its last keys stay in use.';

function claimChecks({ issuer, audience, allowsNoExpiry, now }: JwtOptions): JWTVerifyOptions {
  return {
    ...(issuer === null ? {} : { issuer }),
    ...(audience === null ? {} : { audience }),
    // Without `exp` a leaked token is valid until its key changes.
    requiredClaims: allowsNoExpiry ? ['sub'] : ['sub', 'exp'],
    clockTolerance: clockToleranceMs / 1000,
    currentDate: now(),
  };
}
