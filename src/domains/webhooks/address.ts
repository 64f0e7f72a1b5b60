import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Network = [Address, number];

/** Which addresses may be called. Two questions, since a name says nothing until it is resolved. */
export type AddressRules = {
  /** Null where the address may be tried, else why not, in words for the caller. Resolves nothing. */
  checkUrl(url: string): string | null;
  /** @param host as `hostOf` writes it @param address that the connection would be made to */
  mayReach(host: string, address: string): boolean;
};

const longestUrl = 2048;
const notWeb =
  'callbackUrl is an http or https address of at most 2048 characters, without credentials.';
const notPublic = 'callbackUrl must lead to a server on the public internet.';

/**
 * Where clouds tell their machines secrets. Some are public addresses by their number, and one lies in a network that an
 * intranet may well allow: no list of ours opens these.
 */
const metadataNetworks = [
  // AWS, Google, Azure and nearly everybody else; also the credentials of AWS containers.
  '169.254.0.0/16',
  'fd00:ec2::/32',
  'fd20:ce::254/128',
  // Alibaba, Azure's host, Oracle.
  '100.100.100.200/32',
  '168.63.129.16/32',
  '192.0.0.192/32',
].map((text) => ipaddr.parseCIDR(text));

/** The same by name. A resolver of the cloud's own knows them, and an allowed network may hold what they lead to. */
const metadataNames: ReadonlySet<string> = new Set([
  'metadata',
  'metadata.google.internal',
  'metadata.goog',
  'metadata.azure.internal',
  'metadata.tencentyun.com',
  'metadata.platformequinix.com',
  'instance-data',
  'instance-data.ec2.internal',
]);

/** All that has been given out for the public. The library knows the exceptions within, and calls the rest unicast too. */
const globalUnicast = ipaddr.IPv6.parseCIDR('2000::/3');

/** The way through a translator to IPv4. Networks without IPv4 reach half of the internet by it. */
const translated = ipaddr.IPv6.parseCIDR('64:ff9b::/96');

/**
 * @param allowed what is reached although it is not public: networks (`10.0.0.0/8`), addresses and host names
 * @throws TypeError on a network that is none
 */
export function createAddressRules(allowed: readonly string[]): AddressRules {
  const networks = allowed.filter(isNumeric).map(readNetwork);
  const names = new Set(allowed.filter((entry) => !isNumeric(entry)).map(bareName));

  function mayReach(host: string, text: string): boolean {
    const address = readAddress(text);
    if (address === null || isWithin(address, metadataNetworks)) return false;
    if (metadataNames.has(host)) return false;
    return names.has(host) || isWithin(address, networks) || isPublic(address);
  }

  return {
    mayReach,
    checkUrl(text) {
      const url = readUrl(text);
      if (url === null) return notWeb;
      const host = hostOf(url);
      if (metadataNames.has(host)) return notPublic;
      // A local name is loopback on every machine; all others are looked up when they are called.
      const known = /^(.+\.)?localhost$/.test(host) ? ['127.0.0.1', '::1'] : [host];
      const isNamed = known.every((address) => isIP(address) === 0);
      return isNamed || known.some((address) => mayReach(host, address)) ? null : notPublic;
    },
  };
}

/** The host as it is looked up: no brackets, no final dots. The URL parser has undone every odd spelling of a number. */
export function hostOf(url: URL): string {
  return bareName(url.hostname);
}

function bareName(name: string): string {
  return name
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.+$/, '');
}

function readUrl(text: string): URL | null {
  const url = text.length <= longestUrl && URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) return null;
  return url.username === '' && url.password === '' && hostOf(url) !== '' ? url : null;
}

/** An address in its plainest form: what only wraps an IPv4 address is that address. */
function readAddress(text: string): Address | null {
  if (isIP(text) === 0) return null;
  const address = ipaddr.process(text);
  if (address.kind() === 'ipv6' && address.match(translated)) {
    return new ipaddr.IPv4(address.toByteArray().slice(-4));
  }
  return address;
}

/**
 * Old ways from IPv6 to IPv4 (6to4, Teredo, the "compatible" addresses) are no way to a server today, and each can
 * spell a private address: none is public.
 */
function isPublic(address: Address): boolean {
  if (address.range() !== 'unicast') return false;
  return address.kind() === 'ipv4' || address.match(globalUnicast);
}

function isWithin(address: Address, networks: readonly Network[]): boolean {
  return networks.some(
    ([network, length]) => network.kind() === address.kind() && address.match(network, length),
  );
}

function isNumeric(entry: string): boolean {
  return entry.includes('/') || isIP(entry) !== 0;
}

function readNetwork(entry: string): Network {
  if (isIP(entry) !== 0) {
    const single = ipaddr.process(entry);
    return [single, single.kind() === 'ipv4' ? 32 : 128];
  }
  const [address = ''] = entry.split('/');
  // The library takes more than one spelling of an address, and "10/8" is not what it looks like.
  if (isIP(address) === 0 || !ipaddr.isValidCIDR(entry)) {
    throw new TypeError('An allowed network is not written like 10.0.0.0/8.');
  }
  return ipaddr.parseCIDR(entry);
}
