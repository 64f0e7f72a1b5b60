import type { LookupAddress } from 'node:dns';
import { lookup, Resolver } from 'node:dns/promises';
import { setTimeout as wait } from 'node:timers/promises';
import pLimit from 'p-limit';

/** Resolves a host name to all of its addresses. Rejects, or resolves to none, for an unknown name. */
export type Resolve = (host: string, signal: AbortSignal) => Promise<LookupAddress[]>;

export type HostResolverOptions = {
  /** Whether the operator allowed this host by its name. */
  isAllowedName: (host: string) => boolean;
  /** DNS servers as `address:port`, for tests. Default: those of `/etc/resolv.conf`. */
  servers?: readonly string[];
};

/** c-ares doubles the time limit with each try. All tries together take longer than an attempt, whose end cancels them. */
const queryOptions = { timeout: 2_000, tries: 3 };

/**
 * How long the second address family is waited for once the first has an answer. A DNS server that ignores AAAA queries
 * would otherwise use up the time of the request.
 */
const secondFamilyMs = 1_000;

/** Addresses of one family that are tried. Without a limit one attempt could open any number of connections. */
const maxAddresses = 4;

/**
 * Concurrent calls of `lookup`, each of which blocks one of the four threads that the process has for name resolution
 * and file access.
 */
const maxSystemLookups = 2;

const loopback: readonly LookupAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
];

/**
 * Callers choose the names, and their DNS servers may never answer. `lookup` would then hold one of the four threads
 * for 20 seconds and more, and four such names would stop every name resolution of the process. So these names are
 * resolved by c-ares, which needs no thread: without `/etc/hosts`, search domains and mDNS. A name that only the
 * system's resolver knows has to be one that the operator allowed. docs/decisions/0021-dns-of-callers.md has the
 * differences.
 */
export function createHostResolver({ isAllowedName, servers }: HostResolverOptions): Resolve {
  const limit = pLimit(maxSystemLookups);
  return async (host, signal) => {
    // RFC 6761: loopback on every machine, whatever a DNS server says.
    if (/^(.+\.)?localhost$/.test(host)) return [...loopback];
    if (isAllowedName(host)) return limit(() => lookup(host, { all: true }));
    return queryBothFamilies(host, servers, signal);
  };
}

async function queryBothFamilies(
  host: string,
  servers: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<LookupAddress[]> {
  signal.throwIfAborted();
  // A resolver for each name: `cancel` ends all queries of a resolver.
  const resolver = new Resolver(queryOptions);
  if (servers !== undefined) resolver.setServers(servers);
  const cancel = () => resolver.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  // The final dot, which `host` lacks, would change nothing: c-ares adds no search domain to a query.
  const answers = [
    resolver.resolve4(host).then((found) => addressesOf(found, 4)),
    resolver.resolve6(host).then((found) => addressesOf(found, 6)),
  ];
  const both = Promise.allSettled(answers);
  await Promise.any(answers).catch(() => undefined);
  await Promise.race([both, wait(secondFamilyMs, undefined, { ref: false })]);
  cancel();
  signal.removeEventListener('abort', cancel);
  return (await both).flatMap((each) => (each.status === 'fulfilled' ? each.value : []));
}

function addressesOf(found: readonly string[], family: 4 | 6): LookupAddress[] {
  return found.slice(0, maxAddresses).map((address) => ({ address, family }));
}
