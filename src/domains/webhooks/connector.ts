import { type LookupAddress, type LookupAllOptions, lookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { buildConnector } from 'undici';
import { connectOnce } from '../../upstream/connection.ts';
import type { AddressRules } from './address-rules.ts';

/** Resolves a host name, with the signature of `dns.lookup` with `all: true`. */
export type Resolve = (
  name: string,
  options: LookupAllOptions,
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

const resolveBySystem: Resolve = (name, options, done) => lookup(name, options, done);

/** The host is not, or does not resolve to, an allowed address. The message contains no address. */
export class NoPublicAddressError extends Error {
  override readonly name = 'NoPublicAddressError';

  constructor() {
    super('The host has no address that webhooks can be sent to.');
  }
}

/**
 * The connector of one attempt. The resolved address is checked inside the lookup of the connection itself: with a
 * separate check, DNS rebinding could return a public address to the check and a private one to the connection.
 */
export function createWebhookConnector(
  rules: AddressRules,
  timeoutMs: number,
  resolve: Resolve = resolveBySystem,
): buildConnector.connector {
  const lookupAllowed: LookupFunction = (name, options, done) => {
    resolve(name, { ...options, all: true }, (error, found) => {
      const host = name.toLowerCase().replace(/\.+$/, '');
      const addresses = found?.filter(({ address }) => rules.isAllowed(host, address)) ?? [];
      const [first] = addresses;
      if (error !== null || first === undefined) done(new NoPublicAddressError(), '', 0);
      else if (options.all === true) done(null, addresses);
      else done(null, first.address, first.family);
    });
  };
  const connect = buildConnector({ allowH2: false, timeout: timeoutMs, lookup: lookupAllowed });
  return connectOnce((options, done) => {
    const { hostname } = options;
    // Node skips the lookup for a literal IP address.
    if (isIP(hostname) !== 0 && !rules.isAllowed(hostname, hostname)) {
      done(new NoPublicAddressError(), null);
    } else connect(options, done);
  });
}
