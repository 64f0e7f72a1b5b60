import { describe, expect, it } from 'vitest';
import { createVault } from '../../../src/domains/webhooks/vault.ts';

const [first, second] = ['the first secret, long enough', 'the second secret, also long'];

describe('works', () => {
  it('opens what it sealed, and never seals the same twice alike', () => {
    const vault = createVault([first]);
    const sealed = vault.seal('whsec_abc', 'here');
    expect(vault.open(sealed, 'here')).toBe('whsec_abc');
    expect(vault.seal('whsec_abc', 'here')).not.toBe(sealed);
    expect(sealed).not.toContain('whsec');
  });

  it('opens with any of its secrets, and knows which one seals now', () => {
    const sealed = createVault([first]).seal('whsec_abc', 'here');
    const rotated = createVault([second, first]);
    expect(rotated.open(sealed, 'here')).toBe('whsec_abc');
    expect(rotated.isCurrent(sealed)).toBe(false);
    expect(rotated.isCurrent(rotated.seal('x', 'here'))).toBe(true);
  });
});

describe('keeps out', () => {
  it('another secret, another place, and what was changed', () => {
    const vault = createVault([first]);
    const sealed = vault.seal('whsec_abc', 'here');
    expect(createVault([second]).open(sealed, 'here')).toBeNull();
    expect(vault.open(sealed, 'there')).toBeNull();
    for (let at = 0; at < sealed.length - 1; at += 1) {
      const other = sealed[at] === 'b' ? 'c' : 'b';
      const changed = sealed.slice(0, at) + other + sealed.slice(at + 1);
      expect(vault.open(changed, 'here')).toBeNull();
    }
    for (const rubbish of ['', '.', 'a.b', `${sealed.slice(0, 9)}AAAA`]) {
      expect(vault.open(rubbish, 'here')).toBeNull();
    }
  });
});

describe('refuses', () => {
  it('to work without a secret', () => {
    expect(() => createVault([])).toThrow(RangeError);
  });
});
