import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { signToken, type TokenPurpose, verifyToken } from '../../src/callbacks/token.ts';

const secrets = ['the secret that signs today'];
const now = new Date('2026-01-01T00:00:00Z');
const inAnHour = new Date('2026-01-01T01:00:00Z');
const lipsync = { purpose: 'callback', id: '0198c0de-7e57-7000-8000-00000000abcd' } as const;

const ids = fc.stringMatching(/^[\w-]{1,128}$/);
const expiries = fc.option(
  fc.date({ min: new Date(now.getTime() + 1), max: new Date(8.64e15), noInvalidDate: true }),
);
const purposes = fc.constantFrom<TokenPurpose>('callback', 'upload', 'result');

describe('works', () => {
  test('verifying returns the signed id and expiry', () => {
    fc.assert(
      fc.property(ids, purposes, expiries, (id, purpose, expiresAt) => {
        const token = signToken(secrets, { purpose, id, expiresAt });
        expect(verifyToken(secrets, token, { purpose, now })).toEqual({
          id,
          expiresAt,
          keyId: token.slice(0, 8),
        });
      }),
    );
  });

  test('signing twice gives the same token, so that a URL stays the same', () => {
    expect(signToken(secrets, lipsync)).toBe(signToken(secrets, lipsync));
  });

  test('a token needs no escaping in a path and has at most 200 characters', () => {
    fc.assert(
      fc.property(ids, purposes, expiries, (id, purpose, expiresAt) => {
        const token = signToken(secrets, { purpose, id, expiresAt });
        expect(encodeURIComponent(token)).toBe(token);
        expect(token).not.toContain('..');
        expect(token.length).toBeLessThanOrEqual(200);
      }),
    );
  });

  test('after a rotation the new secret signs and the old one still verifies', () => {
    const old = signToken(['old secret, old secret'], lipsync);
    const rotated = ['new secret, new secret', 'old secret, old secret'];
    const fresh = signToken(rotated, lipsync);
    const expected = { purpose: 'callback', now } as const;
    expect(verifyToken(rotated, old, expected)?.id).toBe(lipsync.id);
    expect(verifyToken(rotated.slice(0, 1), fresh, expected)?.id).toBe(lipsync.id);
    expect(verifyToken(rotated.slice(0, 1), old, expected)).toBeNull();
    expect(old).not.toBe(fresh);
  });

  test('a token is valid until the moment it expires', () => {
    const token = signToken(secrets, { purpose: 'upload', id: 'u1', expiresAt: inAnHour });
    const at = (ms: number) =>
      verifyToken(secrets, token, { purpose: 'upload', now: new Date(inAnHour.getTime() + ms) });
    expect(at(-1)).toMatchObject({ id: 'u1', expiresAt: inAnHour });
    expect(at(0)).toBeNull();
  });
});

describe('refuses', () => {
  test.each(['', 'a.b', 'a b', 'a/b', 'é', 'x'.repeat(129)])('to sign the id "%s"', (id) => {
    expect(() => signToken(secrets, { purpose: 'callback', id })).toThrow(RangeError);
  });

  test.each([new Date(Number.NaN), new Date(-1)])('to sign an invalid expiry', (expiresAt) => {
    expect(() => signToken(secrets, { ...lipsync, expiresAt })).toThrow(RangeError);
  });

  test('to sign without a secret', () => {
    expect(() => signToken([], lipsync)).toThrow(RangeError);
  });

  test('to verify a token without a secret', () => {
    expect(verifyToken([], signToken(secrets, lipsync), { purpose: 'callback', now })).toBeNull();
  });
});

describe('keeps out', () => {
  const urlSafe = [
    ...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~%=+/ \n\0é',
  ];

  test.each([
    ['callback', null],
    ['upload', inAnHour],
  ] as const)('every %s token that differs in one character', (purpose, expiresAt) => {
    const token = signToken(secrets, { ...lipsync, purpose, expiresAt });
    for (const [position, right] of [...token].entries()) {
      const before = token.slice(0, position);
      const after = token.slice(position + 1);
      for (const wrong of [...urlSafe.filter((each) => each !== right), '', `${right}${right}`]) {
        const forged = `${before}${wrong}${after}`;
        expect(verifyToken(secrets, forged, { purpose, now }), forged).toBeNull();
      }
    }
  });

  test('any token with one changed character', () => {
    fc.assert(
      fc.property(
        ids,
        purposes,
        expiries,
        fc.nat(),
        fc.string({ minLength: 1, maxLength: 1 }),
        (...drawn) => {
          const [id, purpose, expiresAt, at, wrong] = drawn;
          const token = signToken(secrets, { purpose, id, expiresAt });
          const position = at % token.length;
          fc.pre(token[position] !== wrong);
          const forged = token.slice(0, position) + wrong + token.slice(position + 1);
          expect(verifyToken(secrets, forged, { purpose, now })).toBeNull();
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('the token of one purpose at the endpoint of the other', () => {
    fc.assert(
      fc.property(ids, expiries, (id, expiresAt) => {
        const callback = signToken(secrets, { purpose: 'callback', id, expiresAt });
        const upload = signToken(secrets, { purpose: 'upload', id, expiresAt });
        expect(verifyToken(secrets, callback, { purpose: 'upload', now })).toBeNull();
        expect(verifyToken(secrets, upload, { purpose: 'callback', now })).toBeNull();
      }),
    );
  });

  test('a signed token with an expiry added or removed', () => {
    const token = signToken(secrets, { purpose: 'upload', id: 'u1', expiresAt: inAnHour });
    const [keyId, id, , mac] = token.split('.');
    const without = `${keyId}.${id}.${mac}`;
    const later = `${keyId}.${id}.${(8.64e15).toString(36)}.${mac}`;
    for (const forged of [without, later]) {
      expect(verifyToken(secrets, forged, { purpose: 'upload', now })).toBeNull();
    }
  });

  test('a token with a guessed secret, under the key id of the real one', () => {
    const [keyId] = signToken(secrets, lipsync).split('.');
    const forged = signToken(['some other secret'], lipsync).replace(/^\w+/, keyId ?? '');
    expect(verifyToken(secrets, forged, { purpose: 'callback', now })).toBeNull();
  });

  test('invalid text of any kind and length, without throwing', () => {
    const invalidText = fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[\w.-]*$/));
    fc.assert(
      fc.property(invalidText, purposes, (token, purpose) => {
        expect(verifyToken(secrets, token, { purpose, now })).toBeNull();
      }),
    );
    const long = signToken(secrets, lipsync).padEnd(1_000_000, 'A');
    expect(verifyToken(secrets, long, { purpose: 'callback', now })).toBeNull();
  });
});
