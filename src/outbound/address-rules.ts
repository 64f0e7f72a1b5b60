import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { InputIssue } from '../errors.ts';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Network = [Address, number];

export type UrlProblem = Pick<InputIssue, 'code' | 'message'>;

/**
 * Decides which hosts this server connects to for a caller. Two checks: one of the URL when the caller names it, and one of
 * the resolved address when the connection is made, because a host name reveals nothing until it is resolved.
 */
export type AddressRules = {
  /**
   * Null if the URL is accepted, otherwise what is wrong with it, for the caller. Does not resolve host names.
   *
   * @param name the input field, for the message
   * @param maxLength in characters. Default: 2,048, for URLs that callers give
   */
  checkUrl(url: string, name: string, maxLength?: number): UrlProblem | null;
  /** @param host as `hostOf` returns it @param address the resolved address of the connection */
  isAllowed(host: string, address: string): boolean;
  /** Whether the host is one of the names that are allowed although they are not public. */
  isAllowedName(host: string): boolean;
};

const defaultMaxLength = 2048;
const invalidUrl = (name: string, maxLength: number): UrlProblem => ({
  code: 'INVALID_FORMAT',
  message: `${name} must be an http or https URL of at most ${maxLength} characters, without credentials.`,
});
const notPublic = (name: string): UrlProblem => ({
  code: 'NOT_ALLOWED',
  message: `${name} must point to a server on the public internet.`,
});

/**
 * Metadata services of clouds, which give credentials to any process that asks. Always blocked, also if
 * OUTBOUND_ALLOWED_NETWORKS contains them: some are public addresses, and one lies in a network that intranets use.
 */
const metadataNetworks = [
  // AWS, Google, Azure and most other clouds; also the credentials of AWS containers.
  '169.254.0.0/16',
  'fd00:ec2::/32',
  'fd20:ce::254/128',
  // Alibaba, Azure's host, Oracle.
  '100.100.100.200/32',
  '168.63.129.16/32',
  '192.0.0.192/32',
].map((text) => ipaddr.parseCIDR(text));

/** Their names, which the cloud's own resolver knows. They could resolve to an address in an allowed network. */
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

/** The IPv6 range that is assigned for public use. The library reports addresses outside of it as `unicast` too. */
const publicIPv6 = ipaddr.IPv6.parseCIDR('2000::/3');

/** NAT64: IPv4 addresses as IPv6-only networks reach them. */
const nat64Network = ipaddr.IPv6.parseCIDR('64:ff9b::/96');

/**
 * @param allowed networks (`10.0.0.0/8`), addresses and host names that are allowed although they are not public
 * @throws TypeError on an invalid network
 */
export function createAddressRules(allowed: readonly string[]): AddressRules {
  const networks = allowed.filter(isNumeric).map(parseNetwork);
  const names = new Set(allowed.filter((entry) => !isNumeric(entry)).map(normalizeName));

  function isAllowed(host: string, text: string): boolean {
    const address = parseAddress(text);
    if (address === null || isWithin(address, metadataNetworks)) return false;
    if (metadataNames.has(host)) return false;
    return names.has(host) || isWithin(address, networks) || isPublic(address);
  }

  return {
    isAllowed,
    isAllowedName: (host) => names.has(host),
    checkUrl(text, name, maxLength = defaultMaxLength) {
      const url = text.length <= maxLength ? parseUrl(text) : null;
      if (url === null) return invalidUrl(name, maxLength);
      const host = hostOf(url);
      if (metadataNames.has(host)) return notPublic(name);
      // localhost and its subdomains are loopback on every machine. Other names are resolved when the connection is made.
      const hosts = /^(.+\.)?localhost$/.test(host) ? ['127.0.0.1', '::1'] : [host];
      const isName = hosts.every((address) => isIP(address) === 0);
      return isName || hosts.some((address) => isAllowed(host, address)) ? null : notPublic(name);
    },
  };
}

/** The host without brackets and trailing dots. The URL parser has already normalized every spelling of an IP address. */
export function hostOf(url: URL): string {
  return normalizeName(url.hostname);
}

function normalizeName(name: string): string {
  return name
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.+$/, '');
}

/**
 * The URL parser accepts more, such as leading spaces, `http:host` and backslashes. The database extracts the receiver's host
 * from the text, so only URLs are accepted in which every parser finds the same host.
 */
const plainUrl = /^https?:\/\/[^\s/\\]+(?:[/?#]|$)/i;

function parseUrl(text: string): URL | null {
  const url = plainUrl.test(text) ? URL.parse(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) return null;
  return url.username === '' && url.password === '' && hostOf(url) !== '' ? url : null;
}

/** Parses an IP address. An IPv6 address that only wraps an IPv4 address becomes that IPv4 address. */
function parseAddress(text: string): Address | null {
  if (isIP(text) === 0) return null;
  const address = ipaddr.process(text);
  if (address.kind() === 'ipv6' && address.match(nat64Network)) {
    return new ipaddr.IPv4(address.toByteArray().slice(-4));
  }
  return address;
}

/**
 * Obsolete IPv6 wrappers of IPv4 (6to4, Teredo, "IPv4-compatible") are not public: no server needs them today, and each
 * can encode a private address. `range()` reports the first two, `publicIPv6` excludes the third.
 */
function isPublic(address: Address): boolean {
  if (address.range() !== 'unicast') return false;
  return address.kind() === 'ipv4' || address.match(publicIPv6);
}

function isWithin(address: Address, networks: readonly Network[]): boolean {
  return networks.some(
    ([network, length]) => network.kind() === address.kind() && address.match(network, length),
  );
}

function isNumeric(entry: string): boolean {
  return entry.includes('/') || isIP(entry) !== 0;
}

function parseNetwork(entry: string): Network {
  if (isIP(entry) !== 0) {
    const single = ipaddr.process(entry);
    return [single, single.kind() === 'ipv4' ? 32 : 128];
  }
  const [address = ''] = entry.split('/');
  // The library also accepts short forms, which are misleading: it reads "10/8" as 0.0.0.10/8.
  if (isIP(address) === 0 || !ipaddr.isValidCIDR(entry)) {
    throw new TypeError('An allowed network must be written like 10.0.0.0/8.');
  }
  return ipaddr.parseCIDR(entry);
}
