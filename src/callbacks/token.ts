import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Sql } from '../database/connect.ts';
import { createSettingOnce } from '../database/settings.ts';

/** The endpoint that a token is for. It is part of the signed text, so that a token is valid at one endpoint only. */
export type TokenPurpose = 'callback' | 'upload' | 'result';

export type TokenClaim = {
  purpose: TokenPurpose;
  /** 1 to 128 letters, digits, `_` and `-`: the id of the lip-sync or upload, or the key of the video. */
  id: string;
  /** From this moment on the token is invalid; null: never. */
  expiresAt?: Date | null;
};

export type VerifiedToken = {
  id: string;
  expiresAt: Date | null;
  /** Identifies the secret: the first 8 hexadecimal digits of its SHA-256. */
  keyId: string;
};

/** The longest token of `signToken` has 8 + 128 + 11 + 43 characters and three dots. */
const maxLength = 200;

const shape = /^([0-9a-f]{8})\.([\w-]{1,128})(?:\.([0-9a-z]{1,11}))?\.([\w-]{43})$/;

/**
 * Creates the unguessable part of a callback, upload or result URL: `keyId.id.mac`, or `keyId.id.expiry.mac` with the
 * expiry in milliseconds since 1970, in base 36. It has at most 200 characters, because the upstream accepts URLs up to
 * 1024, and needs no escaping in a path. The id is readable: it is not secret, and identifies the row.
 *
 * @param secrets the first signs
 * @throws RangeError without a secret, and on an id or expiry that does not fit into a token
 */
export function signToken(secrets: readonly string[], claim: TokenClaim): string {
  const [secret] = secrets;
  // Checked before the parts are joined: the id `a.b` would be parsed as the id `a` with the expiry `b`.
  if (!/^[\w-]{1,128}$/.test(claim.id))
    throw new RangeError('The id of a token has 1 to 128 letters, digits, _ and -.');
  if (secret === undefined) throw new RangeError('There is no secret to sign with.');
  const expiresAtMs = claim.expiresAt?.getTime();
  if (expiresAtMs !== undefined && !(expiresAtMs >= 0)) {
    throw new RangeError('The expiry of a token must be a date after 1970.');
  }
  const expiry = expiresAtMs === undefined ? [] : [expiresAtMs.toString(36)];
  const body = [keyIdOf(secret), claim.id, ...expiry].join('.');
  return `${body}.${macOf(secret, claim.purpose, body)}`;
}

/**
 * Null for a token that is malformed, forged, expired, for another purpose, or signed with a secret that is not listed any
 * more. The reason is not returned, so that an attacker can't learn it.
 *
 * @param secrets all of them verify
 */
export function verifyToken(
  secrets: readonly string[],
  token: string,
  expected: { purpose: TokenPurpose; now: Date },
): VerifiedToken | null {
  const [, keyId, id, expiry, mac] = (token.length <= maxLength && shape.exec(token)) || [];
  if (keyId === undefined || id === undefined || mac === undefined) return null;
  const body = token.slice(0, -mac.length - 1);
  // The MACs are compared as text: two texts that differ only in the unused last bits decode to the same bytes.
  const isGenuine = secrets
    .filter((secret) => keyIdOf(secret) === keyId)
    .some((secret) => {
      const genuine = macOf(secret, expected.purpose, body);
      return timingSafeEqual(Buffer.from(genuine), Buffer.from(mac));
    });
  const expiresAt = expiry === undefined ? null : new Date(Number.parseInt(expiry, 36));
  const isExpired = expiresAt !== null && expiresAt <= expected.now;
  return isGenuine && !isExpired ? { id, expiresAt, keyId } : null;
}

function keyIdOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex').slice(0, 8);
}

/** No part contains a dot, so different claims never give the same text. */
function macOf(secret: string, purpose: TokenPurpose, body: string): string {
  return createHmac('sha256', secret).update(`${purpose}.${body}`).digest('base64url');
}

/** The configured secrets, or one that is generated once and stored, so that URLs given out before a restart stay valid. */
export async function readCallbackSecrets(
  sql: Sql,
  configured: readonly string[] | null,
): Promise<readonly string[]> {
  if (configured !== null) return configured;
  const generated = randomBytes(32).toString('base64url');
  return [await createSettingOnce(sql, 'callback_secret', generated)];
}

/** For the uploads slice, which must not know the secrets. The expiry is checked there, on the upload's row. */
export function uploadTokens(secrets: readonly string[]) {
  return {
    sign: (id: string, expiresAt: Date) => signToken(secrets, { purpose: 'upload', id, expiresAt }),
    readId: (token: string) =>
      verifyToken(secrets, token, { purpose: 'upload', now: new Date(0) })?.id ?? null,
  };
}

/** For the videos slice. The links have no expiry: they are valid as long as the secret that signed them is listed. */
export function resultTokens(secrets: readonly string[]) {
  return {
    sign: (key: string) => signToken(secrets, { purpose: 'result', id: key }),
    readKey: (token: string) =>
      verifyToken(secrets, token, { purpose: 'result', now: new Date(0) })?.id ?? null,
  };
}
