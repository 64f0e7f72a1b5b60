import { isIP, type LookupFunction } from 'node:net';
import { buildConnector } from 'undici';
import { connectOnce } from '../upstream/connection.ts';
import type { AddressRules } from './address-rules.ts';
import type { Resolve } from './resolve.ts';

/** The host is not, or does not resolve to, an allowed address. The message contains no address. */
export class NoPublicAddressError extends Error {
  override readonly name = 'NoPublicAddressError';

  constructor() {
    super('The host has no address that this server connects to for callers.');
  }
}

export type ConnectorOptions = {
  rules: AddressRules;
  timeoutMs: number;
  resolve: Resolve;
  /** Ends the request, and with it the DNS queries. */
  signal: AbortSignal;
};

/**
 * The connector of one request. The resolved address is checked inside the lookup of the connection itself: with a
 * separate check, DNS rebinding could return a public address to the check and a private one to the connection.
 */
export function createGuardedConnector(options: ConnectorOptions): buildConnector.connector {
  const { rules, timeoutMs: timeout } = options;
  const lookup: LookupFunction = (name, { all }, done) => {
    void resolveAllowed(options, name).then((addresses) => {
      const [first] = addresses;
      if (first === undefined) done(new NoPublicAddressError(), '', 0);
      else if (all === true) done(null, addresses);
      else done(null, first.address, first.family);
    });
  };
  const connect = buildConnector({ allowH2: false, timeout, lookup });
  return connectOnce((target, done) => {
    const { hostname } = target;
    // Node skips the lookup for a literal IP address.
    if (isIP(hostname) !== 0 && !rules.isAllowed(hostname, hostname)) {
      done(new NoPublicAddressError(), null);
    } else connect(target, done);
  });
}

/** The allowed ones of all addresses. None, too, if the name cannot be resolved: the caller must not see the difference. */
async function resolveAllowed({ rules, resolve, signal }: ConnectorOptions, name: string) {
  const host = name.toLowerCase().replace(/\.+$/, '');
  const found = await resolve(host, signal).catch(() => []);
  return found.filter(({ address }) => rules.isAllowed(host, address));
}
