import { createHash } from 'node:crypto';
import { type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { NotAuthenticatedError } from '../../../src/errors.ts';
import { scopes } from '../../../src/graphql/context.ts';
import { createLog } from '../../../src/log.ts';
import {
  type AuthenticatorOptions,
  createAuthenticator,
} from '../../../src/server/auth/authenticate.ts';

const now = new Date('2026-01-01T00:00:00Z');
const nowSeconds = now.getTime() / 1000;
const jwtSecret = 'a secret of at least thirty-two bytes';
const lines: string[] = [];

const closed: AuthenticatorOptions = {
  allowAnonymous: false,
  anonymousIsAdmin: false,
  jwksUrl: null,
  jwtSecrets: null,
  issuer: null,
  audience: null,
  allowsNoExpiry: false,
  apiKeys: [],
  log: createLog('debug', { write: (line) => void lines.push(line) }),
  now: () => now,
};
const bySecret = { ...closed, jwtSecrets: [jwtSecret] };
const claims = { iss: 'https://id.example.com', sub: 'ada', exp: nowSeconds + 60 };

function signHs256(payload: JWTPayload, secret = jwtSecret) {
  return new SignJWT(payload)
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(secret));
}

async function authenticateHs256(payload: JWTPayload, options = bySecret) {
  return createAuthenticator(options)(`Bearer ${await signHs256(payload)}`);
}

const refusal = expect.any(NotAuthenticatedError);
const apiKeys = [
  { name: 'web', sha256: sha256('web-key'), scopes: ['lipsync:read', 'lipsync:write'] as const },
  { name: 'ops', sha256: sha256('ops-key'), scopes: ['admin'] as const },
];

function sha256(key: string) {
  return createHash('sha256').update(key).digest('hex');
}

describe('works', () => {
  test('an anonymous caller has every scope but admin', async () => {
    const authenticate = createAuthenticator({ ...closed, allowAnonymous: true });
    // Apollo's auth link sends an empty text when there is no token.
    for (const missing of [null, undefined, '', ' ', '\t \n']) {
      expect(await authenticate(missing)).toEqual({
        owner: 'anonymous',
        name: 'anonymous',
        isAuthenticated: false,
        scopes: new Set(['lipsync:read', 'lipsync:write', 'videos:read', 'videos:write']),
        expiresAt: null,
        tokenId: null,
      });
    }
  });

  test('an anonymous caller is admin in the sandbox', async () => {
    const sandbox = { ...closed, allowAnonymous: true, anonymousIsAdmin: true };
    expect((await createAuthenticator(sandbox)(null)).scopes).toEqual(new Set(scopes));
  });

  test.each(['Bearer ops-key', 'bearer ops-key', 'BEARER   ops-key '])(
    '"%s" is an API key',
    async (header) => {
      expect(await createAuthenticator({ ...closed, apiKeys })(header)).toEqual({
        owner: 'key:ops',
        name: 'ops',
        isAuthenticated: true,
        scopes: new Set(['admin']),
        expiresAt: null,
        tokenId: null,
      });
    },
  );

  test('a JWT gives the owner, the expiry and the scopes; unknown scopes are ignored', async () => {
    const scope = 'openid lipsync:read admin:all lipsync:write';
    expect(await authenticateHs256({ ...claims, name: 'Ada L.', scope, jti: 'j1' })).toEqual({
      owner: 'jwt:https://id.example.com:ada',
      name: 'Ada L.',
      isAuthenticated: true,
      scopes: new Set(['lipsync:read', 'lipsync:write']),
      expiresAt: new Date(claims.exp * 1000),
      tokenId: 'j1',
    });
  });

  test.each<[string, JWTPayload]>([
    ['scope as a text', { scope: 'lipsync:read videos:read' }],
    ['scope as an array', { scope: ['lipsync:read', 'videos:read'] }],
    ['scp as a text', { scp: 'lipsync:read videos:read' }],
    ['scp as an array', { scp: ['lipsync:read', 'videos:read', 7, null] }],
    ['permissions as an array', { permissions: ['videos:read', 'lipsync:read', 'read:all'] }],
    ['an array of texts with spaces', { scope: ['openid lipsync:read', 'videos:read'] }],
    ['several claims, all of which count', { scope: 'openid lipsync:read', scp: ['videos:read'] }],
  ])('a JWT has its scopes in %s', async (_, scopeClaims) => {
    const caller = await authenticateHs256({ ...claims, ...scopeClaims });
    expect(caller.scopes).toEqual(new Set(['lipsync:read', 'videos:read']));
  });

  test('a JWT without exp is valid until its secret or key changes, with AUTH_ALLOW_NO_EXPIRY', async () => {
    const { exp: _, ...lasting } = claims;
    await expect(authenticateHs256(lasting)).rejects.toEqual(refusal);
    const lenient = { ...bySecret, allowsNoExpiry: true };
    const caller = await authenticateHs256(lasting, lenient);
    expect(caller).toMatchObject({ name: 'ada', expiresAt: null });
  });

  test.each([
    { name: 7, scope: 7, scp: { admin: true }, permissions: [['admin']], jti: 7 },
    { name: '', scope: '', scp: 'admin:all' },
    {},
  ])('a JWT with %o has its sub as the name, and no scopes', async (odd) => {
    const caller = await authenticateHs256({ ...claims, ...(odd as JWTPayload) });
    expect(caller).toMatchObject({ name: 'ada', scopes: new Set(), tokenId: null });
  });

  test('issuer and audience are checked on HS256 tokens too, if they are configured', async () => {
    const strict = { ...bySecret, issuer: claims.iss, audience: 'lipsync' };
    const caller = await authenticateHs256({ ...claims, aud: ['other', 'lipsync'] }, strict);
    expect(caller.name).toBe('ada');
    await expect(authenticateHs256(claims, strict)).rejects.toEqual(refusal);
    const foreign = { ...claims, iss: 'https://evil.example.com', aud: 'lipsync' };
    await expect(authenticateHs256(foreign, strict)).rejects.toEqual(refusal);
  });

  test('clocks can differ by five seconds', async () => {
    const late = { ...claims, exp: nowSeconds - 4 };
    expect((await authenticateHs256(late)).expiresAt).toEqual(new Date(late.exp * 1000));
    await expect(authenticateHs256({ ...claims, exp: nowSeconds - 5 })).rejects.toEqual(refusal);
    expect((await authenticateHs256({ ...claims, nbf: nowSeconds + 5 })).name).toBe('ada');
    await expect(authenticateHs256({ ...claims, nbf: nowSeconds + 6 })).rejects.toEqual(refusal);
  });

  test('a JWT can expire until the end of the year 9999', async () => {
    const { expiresAt } = await authenticateHs256({ ...claims, exp: 253_402_300_799 });
    expect(expiresAt?.toISOString()).toBe('9999-12-31T23:59:59.000Z');
  });
});

describe('refuses', () => {
  // Such a token would never expire.
  test.each([253_402_300_800, nowSeconds * 1000, 1e300])(
    'a JWT whose exp is %d, which is not a time in seconds',
    async (exp) => {
      await expect(authenticateHs256({ ...claims, exp })).rejects.toEqual(refusal);
    },
  );

  // Not an error: `viewer` must answer every caller.
  test('every field to a caller without a token, by giving it no scopes and an owner without objects', async () => {
    for (const missing of [null, '', '  ']) {
      expect(await createAuthenticator(closed)(missing)).toEqual({
        owner: 'nobody',
        name: 'nobody',
        isAuthenticated: false,
        scopes: new Set(),
        expiresAt: null,
        tokenId: null,
      });
    }
  });

  test.each([
    ...['Bearer', 'Bearer ', ' Bearer ', 'Bearer a b', 'Basic d2ViOndlYi1rZXk=', 'web-key'],
    ...['Bearerweb-key', 'Bearer web-ke', 'Bearer web-key2', `Bearer ${sha256('web-key')}`],
    ...['Bearer a.b.c', 'Bearer ..', 'Bearer e30.e30.', 'Bearer undefined', 'Bearer null'],
    `Bearer ${'a'.repeat(20_000)}`,
  ])('"%s", also where anonymous callers are allowed', async (header) => {
    const options = { ...bySecret, apiKeys };
    await expect(createAuthenticator(options)(header)).rejects.toEqual(refusal);
    const open = createAuthenticator({ ...options, allowAnonymous: true });
    await expect(open(header)).rejects.toEqual(refusal);
  });

  test.each([
    ['without sub', { iss: 'i', exp: claims.exp }],
    ['with an empty sub', { ...claims, sub: '' }],
    ['with a sub that is a number', { ...claims, sub: 7 as unknown as string }],
    ['with a sub too long for an index', { ...claims, sub: 'a'.repeat(256) }],
    ['with a NUL in sub, which PostgreSQL refuses', { ...claims, sub: 'ada\0' }],
    ['with half a surrogate pair, which becomes U+FFFD', { ...claims, sub: 'ada\ud800' }],
    ['with an iss that is a number', { ...claims, iss: 7 as unknown as string }],
  ])('a JWT %s', async (_, payload) => {
    await expect(authenticateHs256(payload)).rejects.toEqual(refusal);
  });
});

describe('keeps out', () => {
  test('a JWT with another secret, without a signature, or while no secret is configured', async () => {
    const forged = await signHs256(claims, 'another secret of thirty-two bytes');
    const unsigned = new UnsecuredJWT(claims).encode();
    for (const token of [forged, unsigned]) {
      await expect(createAuthenticator(bySecret)(`Bearer ${token}`)).rejects.toEqual(refusal);
    }
    const token = await signHs256(claims);
    await expect(createAuthenticator(closed)(`Bearer ${token}`)).rejects.toEqual(refusal);
  });

  test('one owner from the data of another: no two pairs of issuer and subject give the same owner', async () => {
    const parts = ['a', ':', '%', '3A', '%3A', '%253A', 'a:', ':a', 'a:a', 'a%3Aa', 'a:a:a'];
    const owners = new Set<string>();
    for (const iss of parts) {
      for (const sub of parts) owners.add((await authenticateHs256({ ...claims, iss, sub })).owner);
    }
    expect(owners.size).toBe(parts.length ** 2);
  });

  test('tokens from the log', () => {
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.join('')).not.toMatch(/eyJ|web-ke|ada/);
  });
});
