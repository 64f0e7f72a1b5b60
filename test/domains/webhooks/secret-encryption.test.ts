import { describe, expect, it } from 'vitest';
import { createSecretEncryption } from '../../../src/domains/webhooks/secret-encryption.ts';

const [first, second] = ['the first secret, long enough', 'the second secret, also long'];

describe('works', () => {
  it('decrypts its own output, and encrypts the same text differently each time', () => {
    const encryption = createSecretEncryption([first]);
    const encrypted = encryption.encrypt('whsec_abc', 'row 1');
    expect(encryption.decrypt(encrypted, 'row 1')).toBe('whsec_abc');
    expect(encryption.encrypt('whsec_abc', 'row 1')).not.toBe(encrypted);
    expect(encrypted).not.toContain('whsec');
  });

  it('decrypts with any of its secrets, and knows which text is under the first one', () => {
    const encrypted = createSecretEncryption([first]).encrypt('whsec_abc', 'row 1');
    const rotated = createSecretEncryption([second, first]);
    expect(rotated.decrypt(encrypted, 'row 1')).toBe('whsec_abc');
    expect(rotated.isCurrent(encrypted)).toBe(false);
    expect(rotated.isCurrent(rotated.encrypt('x', 'row 1'))).toBe(true);
  });
});

describe('keeps out', () => {
  it('another secret, another binding and modified text', () => {
    const encryption = createSecretEncryption([first]);
    const encrypted = encryption.encrypt('whsec_abc', 'row 1');
    expect(createSecretEncryption([second]).decrypt(encrypted, 'row 1')).toBeNull();
    expect(encryption.decrypt(encrypted, 'row 2')).toBeNull();
    for (let at = 0; at < encrypted.length - 1; at += 1) {
      const other = encrypted[at] === 'b' ? 'c' : 'b';
      const changed = encrypted.slice(0, at) + other + encrypted.slice(at + 1);
      expect(encryption.decrypt(changed, 'row 1')).toBeNull();
    }
    for (const rubbish of ['', '.', 'a.b', `${encrypted.slice(0, 9)}AAAA`]) {
      expect(encryption.decrypt(rubbish, 'row 1')).toBeNull();
    }
  });
});

describe('refuses', () => {
  it('an empty list of secrets', () => {
    expect(() => createSecretEncryption([])).toThrow(RangeError);
  });
});
