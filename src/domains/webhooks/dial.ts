import { type LookupAddress, type LookupAllOptions, lookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { buildConnector } from 'undici';
import { connectOnce } from '../../upstream/connect-once.ts';
import type { AddressRules } from './address.ts';

/** Asks the name servers, as `dns.lookup` with `all` does. */
export type Resolve = (
  name: string,
  options: LookupAllOptions,
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

const resolveBySystem: Resolve = (name, options, done) => lookup(name, options, done);

/** The host is, or leads to, nothing that may be called. It names no address. */
export class NoPublicAddressError extends Error {
  override readonly name = 'NoPublicAddressError';

  constructor() {
    super('The host has no address that may be called.');
  }
}

/**
 * Opens the connection of one attempt. What a name resolves to is checked and used in one step: a check that is done
 * apart is answered with one address, and the connection made to another.
 */
export function createDialer(
  rules: AddressRules,
  timeoutMs: number,
  resolve: Resolve = resolveBySystem,
): buildConnector.connector {
  const lookupAllowed: LookupFunction = (name, options, done) => {
    resolve(name, { ...options, all: true }, (error, found) => {
      const host = name.toLowerCase().replace(/\.+$/, '');
      const addresses = found?.filter(({ address }) => rules.mayReach(host, address)) ?? [];
      const [first] = addresses;
      if (error !== null || first === undefined) done(new NoPublicAddressError(), '', 0);
      else if (options.all === true) done(null, addresses);
      else done(null, first.address, first.family);
    });
  };
  const connect = buildConnector({ allowH2: false, timeout: timeoutMs, lookup: lookupAllowed });
  return connectOnce((options, done) => {
    const { hostname } = options;
    // Node does not look up an IP address, so it is checked here.
    if (isIP(hostname) !== 0 && !rules.mayReach(hostname, hostname)) {
      done(new NoPublicAddressError(), null);
    } else connect(options, done);
  });
}
