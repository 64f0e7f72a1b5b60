import { isIP } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createAddressRules, hostOf } from '../../src/outbound/address-rules.ts';
import { publicHosts, refusedHosts, refusedUrls } from './address-table.ts';

/** The rules, with the message of a rejection. Both uses of the guard, webhooks and imports, name their own field. */
function openRules(allowed: readonly string[]) {
  const rules = createAddressRules(allowed);
  return {
    ...rules,
    checkUrl: (url: string, name = 'callbackUrl', maxLength?: number) =>
      rules.checkUrl(url, name, maxLength)?.message ?? null,
  };
}

const rules = openRules([]);

const rows = Object.entries(refusedHosts).flatMap(([trick, hosts]) =>
  hosts.map(([host, resolvesTo]) => ({ trick, host, resolvesTo })),
);

/** The host as the URL parser normalizes it: an IP address in most rows. */
const addressOf = (host: string) => hostOf(new URL(`http://${host}/`));
const numbers = rows.filter(({ host }) => isIP(addressOf(host)) !== 0);

describe('keeps out', () => {
  it('more than a hundred spellings, at least three for each trick', () => {
    expect(Object.values(refusedHosts).every((hosts) => hosts.length >= 3)).toBe(true);
    expect(new Set(rows.map(({ host }) => host)).size).toBe(rows.length);
    expect(rows.length).toBeGreaterThan(100);
    expect(numbers.length).toBeGreaterThan(80);
  });

  it.each(rows)('$trick: $host, $resolvesTo', ({ host }) => {
    for (const scheme of ['http', 'https', 'HTTP']) {
      expect(rules.checkUrl(`${scheme}://${host}/hook`)).toMatch(/public internet/);
      expect(rules.checkUrl(`${scheme}://${host}/a.mp3`, 'url')).toMatch(/^url must point/);
      expect(rules.checkUrl(`${scheme}://${host}:8443/?to=https://example.com`)).not.toBeNull();
    }
  });

  it.each(numbers)('$trick: $host also as the address that a name resolves to', ({ host }) => {
    expect(rules.isAllowed('evil.example', addressOf(host))).toBe(false);
  });

  it.each(refusedUrls)('%s: %s', (url) => {
    expect(rules.checkUrl(url)).toMatch(/^callbackUrl /);
  });

  it('text that is not an IP address', () => {
    for (const rubbish of ['', 'example.com', '0x7f.1', '127.1', '1.1.1.1/0', '::1%eth0']) {
      expect(rules.isAllowed('evil.example', rubbish)).toBe(false);
    }
  });

  it('cloud metadata services, also if their networks are allowed', () => {
    const names = (refusedHosts['metadata by name'] ?? []).map(([host]) => addressOf(host));
    const open = openRules(['0.0.0.0/0', '::/0', 'metadata.example', ...names]);
    for (const name of names) {
      expect(open.checkUrl(`http://${name}/`)).toMatch(/public internet/);
      expect(open.isAllowed(name, '10.0.0.1')).toBe(false);
    }
    for (const address of [
      '169.254.169.254',
      '::ffff:169.254.169.254',
      '64:ff9b::a9fe:a9fe',
      '100.100.100.200',
      '168.63.129.16',
      'fd00:ec2::254',
    ]) {
      expect(open.isAllowed('metadata.example', address)).toBe(false);
    }
  });
});

describe('works', () => {
  it.each(publicHosts)('%s', (host) => {
    expect(rules.checkUrl(`https://${host}/hook?key=1#part`)).toBeNull();
  });

  it('a longer URL where a longer one is allowed, and no longer one', () => {
    const url = `https://example.com/${'a'.repeat(2_048)}`;
    expect(rules.checkUrl(url, 'url', url.length)).toBeNull();
    expect(rules.checkUrl(`${url}a`, 'url', url.length)).toMatch(/at most 2068 characters/);
    expect(rules.checkUrl(url.replace('example.com', '10.0.0.1'), 'url', url.length)).toMatch(
      /public internet/,
    );
  });

  it('allows the configured networks, addresses and names, and no others', () => {
    const own = openRules(['10.1.0.0/16', '127.0.0.1', 'fd12::/32', 'Hook.Intranet.']);
    for (const host of ['10.1.2.3', '127.0.0.1', '[::ffff:10.1.2.3]', '[fd12::7]', 'localhost']) {
      expect(own.checkUrl(`http://${host}/`)).toBeNull();
    }
    for (const host of ['10.2.0.1', '127.0.0.2', '[::1]', '[fd13::7]']) {
      expect(own.checkUrl(`http://${host}/`)).not.toBeNull();
    }
    expect(own.isAllowed('hook.intranet', '192.168.0.5')).toBe(true);
    expect(own.isAllowed('other.intranet', '192.168.0.5')).toBe(false);
  });
});

describe('refuses', () => {
  it.each(['10.0.0.0/33', '10/8', 'fd00::/129', '10.0.0.0/', '/8', '10.0.0.0/x', 'host/8'])(
    'the network %s',
    (entry) => {
      expect(() => createAddressRules([entry])).toThrow(TypeError);
    },
  );
});
