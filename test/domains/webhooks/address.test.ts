import { describe, expect, it } from 'vitest';
import { createAddressRules, hostOf } from '../../../src/domains/webhooks/address.ts';

const rules = createAddressRules([]);

/** Hosts as somebody who wants in would write them in a URL. */
const refusedHosts: [string, string][] = [
  ['127.0.0.1', 'loopback'],
  ['127.255.255.254', 'the far end of loopback'],
  ['127.1', 'loopback, short'],
  ['127.0.1', 'loopback, three parts'],
  ['2130706433', 'loopback as one decimal'],
  ['0x7f000001', 'loopback as one hexadecimal'],
  ['0x7f.0x0.0x0.0x1', 'loopback in hexadecimal parts'],
  ['0177.0.0.1', 'loopback in octal'],
  ['017700000001', 'loopback as one octal'],
  ['0177.0x0.0.1', 'loopback in a mixture'],
  ['127.0.0.1.', 'loopback with a final dot'],
  ['１２７.０.０.１', 'loopback in full-width digits'],
  ['①②⑦.0.0.1', 'loopback in circled digits'],
  ['127。0。0。1', 'loopback with ideographic dots'],
  ['%31%32%37.0.0.1', 'loopback, percent-encoded'],
  ['0', 'the unspecified address, short'],
  ['0.0.0.0', 'the unspecified address'],
  ['0.1.2.3', 'this network'],
  ['10.0.0.1', 'private'],
  ['10.255.255.255', 'the far end of a private network'],
  ['172.16.0.1', 'private'],
  ['172.31.255.255', 'the far end of a private network'],
  ['192.168.1.1', 'private'],
  ['3232235777', 'private as one decimal'],
  ['100.64.0.1', 'carrier-grade NAT'],
  ['100.127.255.255', 'the far end of carrier-grade NAT'],
  ['169.254.1.1', 'link-local'],
  ['169.254.169.254', 'the metadata of most clouds'],
  ['0xa9fea9fe', 'metadata as one hexadecimal'],
  ['2852039166', 'metadata as one decimal'],
  ['169.254.170.2', 'the credentials of AWS containers'],
  ['100.100.100.200', 'the metadata of Alibaba'],
  ['168.63.129.16', "Azure's host, a public number"],
  ['192.0.0.192', 'the metadata of Oracle'],
  ['192.0.0.8', 'protocol assignments'],
  ['192.0.2.1', 'documentation'],
  ['198.51.100.7', 'documentation'],
  ['203.0.113.9', 'documentation'],
  ['198.18.0.1', 'benchmarking'],
  ['192.88.99.1', 'the old 6to4 relay'],
  ['224.0.0.1', 'multicast'],
  ['239.255.255.250', 'multicast, SSDP'],
  ['240.0.0.1', 'reserved'],
  ['255.255.255.255', 'broadcast'],
  ['[::]', 'the unspecified address'],
  ['[::1]', 'loopback'],
  ['[0:0:0:0:0:0:0:1]', 'loopback, written out'],
  ['[::ffff:127.0.0.1]', 'loopback, mapped'],
  ['[::ffff:7f00:1]', 'loopback, mapped, in hexadecimal'],
  ['[::ffff:a9fe:a9fe]', 'metadata, mapped'],
  ['[::ffff:10.0.0.1]', 'private, mapped'],
  ['[::127.0.0.1]', 'loopback, "compatible"'],
  ['[::a00:1]', 'private, "compatible"'],
  ['[::ffff:0:127.0.0.1]', 'loopback, translated (SIIT)'],
  ['[64:ff9b::7f00:1]', 'loopback by NAT64'],
  ['[64:ff9b::10.0.0.1]', 'private by NAT64'],
  ['[64:ff9b::169.254.169.254]', 'metadata by NAT64'],
  ['[64:ff9b:1::a00:1]', 'private by a NAT64 of its own'],
  ['[2002:7f00:1::]', 'loopback by 6to4'],
  ['[2002:a00:1::1]', 'private by 6to4'],
  ['[2001:0:7f00:1::]', 'Teredo'],
  ['[2001:0:4136:e378:8000:63bf:3fff:fdd2]', 'Teredo'],
  ['[fe80::1]', 'link-local'],
  ['[febf::1]', 'the far end of link-local'],
  ['[fec0::1]', 'site-local'],
  ['[fc00::1]', 'unique local'],
  ['[fd12:3456:789a::1]', 'unique local'],
  ['[fd00:ec2::254]', 'the metadata of AWS'],
  ['[fd20:ce::254]', 'the metadata of Google'],
  ['[ff02::1]', 'multicast'],
  ['[2001:db8::1]', 'documentation'],
  ['[3fff::1]', 'documentation'],
  ['[100::1]', 'discard'],
  ['[4000::1]', 'never given out'],
  ['localhost', 'a local name'],
  ['LOCALHOST', 'a local name'],
  ['localhost.', 'a local name with a final dot'],
  ['localhost..', 'a local name with two'],
  ['api.localhost', 'below a local name'],
  ['loc\talhost', 'a local name with a tab that the parser drops'],
];

const refusedUrls: [string, string][] = [
  ['ftp://example.com/', 'another scheme'],
  ['file:///etc/passwd', 'a file'],
  ['gopher://example.com/', 'gopher'],
  ['javascript:alert(1)', 'no address at all'],
  ['//example.com/', 'no scheme'],
  ['example.com', 'only a name'],
  ['', 'nothing'],
  ['http://', 'no host'],
  ['http://.', 'only a dot'],
  ['http://user@example.com/', 'a user'],
  ['http://:secret@example.com/', 'a password'],
  ['http://example.com@127.0.0.1/', 'a host in front of the host'],
  ['http://127.0.0.1\\@example.com/', 'a host behind a backslash'],
  ['http://127.0.0.1:8080/', 'loopback with a port'],
  ['http://256.1.1.1/', 'a number that is none'],
  ['http://[fe80::1%25eth0]/', 'a zone'],
  [`https://example.com/${'a'.repeat(2048)}`, 'far too long'],
];

const publicHosts = [
  'example.com',
  'hooks.example.com:8443',
  'localhost.example.com',
  'notlocalhost',
  '127.0.0.1.nip.io',
  '1.1.1.1',
  '8.8.8.8:8080',
  '172.32.0.1',
  '172.15.255.255',
  '100.63.255.255',
  '100.128.0.1',
  '169.253.255.255',
  '11.0.0.1',
  '[2606:4700:4700::1111]',
  '[2a00:1450:4001::1]',
  '[::ffff:8.8.8.8]',
  '[64:ff9b::8.8.8.8]',
  'bücher.example',
];

describe('keeps out', () => {
  it.each(refusedHosts)('%s: %s', (host) => {
    for (const scheme of ['http', 'https']) {
      expect(rules.checkUrl(`${scheme}://${host}/hook`)).toMatch(/public internet/);
    }
  });

  it.each(refusedHosts.filter(([host]) => !/local?\t?al?host/i.test(host)))(
    '%s also as what a name leads to: %s',
    (host) => {
      const address = hostOf(new URL(`http://${host}/`));
      expect(rules.mayReach('evil.example', address)).toBe(false);
    },
  );

  it.each(refusedUrls)('%s: %s', (url) => {
    expect(rules.checkUrl(url)).toMatch(/^callbackUrl /);
  });

  it('what is no address', () => {
    for (const rubbish of ['', 'example.com', '0x7f.1', '127.1', '1.1.1.1/0', '::1%eth0']) {
      expect(rules.mayReach('evil.example', rubbish)).toBe(false);
    }
  });

  it('metadata, whatever is allowed', () => {
    const open = createAddressRules(['0.0.0.0/0', '::/0', 'metadata.example']);
    for (const address of [
      '169.254.169.254',
      '::ffff:169.254.169.254',
      '64:ff9b::a9fe:a9fe',
      '100.100.100.200',
      '168.63.129.16',
      'fd00:ec2::254',
    ]) {
      expect(open.mayReach('metadata.example', address)).toBe(false);
    }
  });
});

describe('lets through', () => {
  it.each(publicHosts)('%s', (host) => {
    expect(rules.checkUrl(`https://${host}/hook?key=1#part`)).toBeNull();
  });

  it('the networks, addresses and names that are allowed, and no others', () => {
    const own = createAddressRules(['10.1.0.0/16', '127.0.0.1', 'fd12::/32', 'Hook.Intranet.']);
    for (const host of ['10.1.2.3', '127.0.0.1', '[::ffff:10.1.2.3]', '[fd12::7]', 'localhost']) {
      expect(own.checkUrl(`http://${host}/`)).toBeNull();
    }
    for (const host of ['10.2.0.1', '127.0.0.2', '[::1]', '[fd13::7]']) {
      expect(own.checkUrl(`http://${host}/`)).not.toBeNull();
    }
    expect(own.mayReach('hook.intranet', '192.168.0.5')).toBe(true);
    expect(own.mayReach('other.intranet', '192.168.0.5')).toBe(false);
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
