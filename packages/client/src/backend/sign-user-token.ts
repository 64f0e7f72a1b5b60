/** What a user may do. A token for users never has the scope `admin`. */
export type UserScope = 'lipsync:read' | 'lipsync:write' | 'videos:read' | 'videos:write';

/** The user, the scopes and the lifetime of a token. */
export type UserTokenClaims = {
  /**
   * The id of the user in your own application, 1 to 255 characters. Lip-syncs, uploads and limits belong to it, so it must
   * stay the same for ever, and never be that of another user.
   */
  subject: string;
  /** Default: `lipsync:read` and `lipsync:write`. */
  scopes?: readonly UserScope[] | undefined;
  /**
   * How long the token is valid. Default 900. At its end the server ends the user's streams, and the client opens them
   * again with the next token.
   */
  expiresInSeconds?: number | undefined;
  /** Must equal `AUTH_ISSUER` of the server where that is set. */
  issuer?: string | undefined;
  /** Must equal `AUTH_AUDIENCE` of the server where that is set. */
  audience?: string | undefined;
};

/** The same minimum as the server has. */
const minSecretBytes = 32;

/**
 * Makes the token of one user, for `authenticate` of `createProxy`: a JWT signed with a secret that your application and
 * lipsync-graphql share. Each `subject` is an owner of its own. It needs Web Crypto alone.
 *
 * @param secret one of the server's `AUTH_JWT_SECRET`; keep it on the server
 * @throws TypeError for a subject, a lifetime or a secret that the server would refuse
 */
export async function signUserToken(
  {
    subject,
    scopes = ['lipsync:read', 'lipsync:write'],
    expiresInSeconds = 900,
    issuer,
    audience,
  }: UserTokenClaims,
  secret: string,
): Promise<string> {
  checkSubject(subject);
  if (!Number.isSafeInteger(expiresInSeconds) || expiresInSeconds < 1) {
    throw new TypeError('expiresInSeconds must be a whole number above 0.');
  }
  const issuedAt = Math.floor(Date.now() / 1_000);
  const claims = {
    iss: issuer,
    aud: audience,
    sub: subject,
    scope: scopes.join(' '),
    iat: issuedAt,
    exp: issuedAt + expiresInSeconds,
  };
  const signed = `${encodePart({ alg: 'HS256', typ: 'JWT' })}.${encodePart(claims)}`;
  const signature = await crypto.subtle.sign('HMAC', await importSecret(secret), encode(signed));
  return `${signed}.${toBase64Url(new Uint8Array(signature))}`;
}

function checkSubject(subject: string): void {
  const hasLength = subject.length >= 1 && subject.length <= 255;
  if (hasLength && subject.isWellFormed() && !/\p{Cc}/u.test(subject)) return;
  throw new TypeError('A subject has 1 to 255 characters, and no control characters.');
}

function importSecret(secret: string): Promise<CryptoKey> {
  const bytes = encode(secret);
  if (bytes.length < minSecretBytes || secret.includes(',')) {
    throw new TypeError(
      `A secret has at least ${minSecretBytes} bytes. Of a list in AUTH_JWT_SECRET, pass one.`,
    );
  }
  return crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
}

function encodePart(value: object): string {
  return toBase64Url(encode(JSON.stringify(value)));
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function toBase64Url(bytes: Uint8Array): string {
  const base64 = btoa(String.fromCharCode(...bytes));
  return base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
