import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createLog } from '../../../src/log.ts';
import { createJwtVerifier, type JwtOptions } from '../../../src/server/auth/jwt.ts';
import { type IdentityProvider, openIdentityProvider } from './identity-provider.ts';

const issuer = 'https://id.example.com';
const audience = 'lipsync';
const rsa = await generateKeyPair('RS256', { extractable: true });
const ec = await generateKeyPair('ES256', { extractable: true });
const oct = new TextEncoder().encode('a secret of at least thirty-two bytes');

let provider: IdentityProvider;
let now = new Date();
let lines: { level: string; msg: string }[] = [];
let options: JwtOptions;

beforeAll(async () => {
  provider = await openIdentityProvider();
});
afterAll(() => provider.close());

beforeEach(async () => {
  provider.fetches = 0;
  lines = [];
  now = new Date();
  provider.answer.status = 200;
  provider.answer.keys = [
    { ...(await exportJWK(rsa.publicKey)), kid: 'rsa', use: 'sig' },
    { ...(await exportJWK(ec.publicKey)), kid: 'ec' },
    { kty: 'oct', kid: 'oct', k: Buffer.from(oct).toString('base64url') },
  ];
  options = {
    jwksUrl: provider.url,
    jwtSecrets: null,
    issuer,
    audience,
    allowsNoExpiry: false,
    log: createLog('debug', { write: (line) => void lines.push(JSON.parse(line)) }),
    now: () => now,
  };
});

function sign(alg: string, kid: string | undefined, key: CryptoKey | Uint8Array) {
  const payload = { sub: 'ada', iss: issuer, aud: audience };
  return new SignJWT(payload)
    .setProtectedHeader({ alg, ...(kid === undefined ? {} : { kid }) })
    .setExpirationTime('1h')
    .sign(key);
}

describe('works', () => {
  test('accepts tokens of every key in the set, and reads the set once', async () => {
    const verify = createJwtVerifier(options);
    expect(await verify(await sign('RS256', 'rsa', rsa.privateKey))).toMatchObject({ sub: 'ada' });
    expect(await verify(await sign('PS512', 'rsa', await reimport('PS512')))).toMatchObject({
      sub: 'ada',
    });
    expect(await verify(await sign('ES256', 'ec', ec.privateKey))).toMatchObject({ sub: 'ada' });
    expect(provider.fetches).toBe(1);
  });

  test('accepts tokens that do not name their key, also while the set has several keys of its algorithm', async () => {
    const next = await generateKeyPair('RS256', { extractable: true });
    const foreign = await generateKeyPair('RS256', { extractable: true });
    provider.answer.keys = [
      { ...(await exportJWK(rsa.publicKey)), kid: 'old' },
      { ...(await exportJWK(next.publicKey)), kid: 'new' },
    ];
    const verify = createJwtVerifier(options);
    const tokens = await Promise.all(
      [rsa, next, foreign].map(({ privateKey }) => sign('RS256', undefined, privateKey)),
    );
    const claims = await Promise.all(tokens.map(verify));
    expect(claims.map((each) => each?.sub)).toEqual(['ada', 'ada', undefined]);
    const late = createJwtVerifier({ ...options, now: () => new Date(Date.now() + 7_200_000) });
    expect(await late(tokens[1] ?? '')).toBeNull();
  });

  test('accepts tokens of a secret and of a key set side by side', async () => {
    const verify = createJwtVerifier({ ...options, jwtSecrets: [Buffer.from(oct).toString()] });
    expect(await verify(await sign('HS256', 'any', oct))).toMatchObject({ sub: 'ada' });
    expect(await verify(await sign('ES256', 'ec', ec.privateKey))).toMatchObject({ sub: 'ada' });
  });

  test('accepts tokens of every listed secret, and of no other', async () => {
    const secrets = ['first', 'second', 'third'].map((name) => name.padEnd(32, '.'));
    const sign = (secret: string) =>
      new SignJWT({ sub: 'ann', exp: 4_000_000_000 })
        .setProtectedHeader({ alg: 'HS256' })
        .sign(new TextEncoder().encode(secret));
    const verify = createJwtVerifier({
      ...options,
      issuer: null,
      audience: null,
      jwksUrl: null,
      jwtSecrets: secrets.slice(0, 2),
    });
    const claims = await Promise.all(secrets.map(async (secret) => verify(await sign(secret))));
    expect(claims.map((each) => each?.sub)).toEqual(['ann', 'ann', undefined]);
  });
});

describe('refuses', () => {
  test('a token of another issuer or for another audience', async () => {
    const token = await sign('ES256', 'ec', ec.privateKey);
    expect(await createJwtVerifier({ ...options, issuer: 'other' })(token)).toBeNull();
    expect(await createJwtVerifier({ ...options, audience: 'other' })(token)).toBeNull();
    expect(lines.map((line) => line.level)).toEqual(['debug', 'debug']);
  });

  test('every token while the key set can not be read, and logs that once a minute as an error', async () => {
    provider.answer.status = 503;
    const verify = createJwtVerifier(options);
    const token = await sign('ES256', 'ec', ec.privateKey);
    const outages = () => lines.filter((line) => line.level === 'error');
    expect(await verify(token)).toBeNull();
    expect(await verify(token)).toBeNull();
    expect(outages()).toHaveLength(1);
    now = new Date(now.getTime() + 60_000);
    expect(await verify(token)).toBeNull();
    expect(outages()).toHaveLength(2);
    expect(JSON.stringify(lines)).not.toContain('eyJ');
  });

  test('tokens only until the key set can be read again', async () => {
    provider.answer.status = 503;
    const verify = createJwtVerifier(options);
    const token = await sign('ES256', 'ec', ec.privateKey);
    expect(await verify(token)).toBeNull();
    provider.answer.status = 200;
    expect(await verify(token)).toMatchObject({ sub: 'ada' });
  });

  test('every token while the issuer does not answer', async () => {
    const verify = createJwtVerifier({ ...options, jwksUrl: 'http://127.0.0.1:1/keys' });
    expect(await verify(await sign('ES256', 'ec', ec.privateKey))).toBeNull();
    expect(lines.filter((line) => line.level === 'error')).toHaveLength(1);
  });
});

describe('keeps out', () => {
  test('a token that was valid before, once it has expired', async () => {
    const verify = createJwtVerifier({ ...options, jwtSecrets: [Buffer.from(oct).toString()] });
    for (const token of [
      await sign('ES256', 'ec', ec.privateKey),
      await sign('HS256', 'any', oct),
    ]) {
      const signedAt = now;
      expect(await verify(token)).toMatchObject({ sub: 'ada' });
      expect(await verify(token)).toMatchObject({ sub: 'ada' });
      now = new Date(signedAt.getTime() + 2 * 3_600_000);
      expect(await verify(token)).toBeNull();
      now = signedAt;
    }
  });

  test('a token that was valid before, once its key is withdrawn', async () => {
    const verify = createJwtVerifier(options);
    const token = await sign('ES256', 'ec', ec.privateKey);
    expect(await verify(token)).toMatchObject({ sub: 'ada' });
    provider.answer.keys = provider.answer.keys.filter(({ kid }) => kid !== 'ec');
    now = new Date(now.getTime() + 10_000);
    expect(await verify(token)).toBeNull();
  });

  test('an HS256 token that is signed with the text of a public key', async () => {
    const text = new TextEncoder().encode(await exportSPKI(rsa.publicKey));
    const verify = createJwtVerifier(options);
    expect(await verify(await sign('HS256', 'rsa', text))).toBeNull();
    const withSecret = createJwtVerifier({ ...options, jwtSecrets: ['x'.repeat(32)] });
    expect(await withSecret(await sign('HS256', 'rsa', text))).toBeNull();
  });

  test.each(['HS256', 'HS512'])(
    'an %s token that is signed with a symmetric key of the set',
    async (alg) => {
      const verify = createJwtVerifier(options);
      const key = alg === 'HS512' ? new Uint8Array(64) : oct;
      expect(await verify(await sign(alg, 'oct', key))).toBeNull();
    },
  );

  test('unknown tokens from reading the key set again each time', async () => {
    const verify = createJwtVerifier(options);
    const unknown = await generateKeyPair('ES256');
    for (const kid of ['one', 'two', 'three', 'ec']) {
      expect(await verify(await sign('ES256', kid, unknown.privateKey))).toBeNull();
    }
    expect(provider.fetches).toBe(1);
    expect(lines.filter((line) => line.level === 'error')).toEqual([]);
  });
});

/** The same RSA key for another algorithm: WebCrypto binds a key to one algorithm. */
async function reimport(alg: 'PS512') {
  const jwk = await exportJWK(rsa.privateKey);
  const algorithm = { name: 'RSA-PSS', hash: `SHA-${alg.slice(2)}` };
  return crypto.subtle.importKey('jwk', { ...jwk, alg } as JsonWebKey, algorithm, false, ['sign']);
}
