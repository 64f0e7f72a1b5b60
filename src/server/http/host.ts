import type { IncomingMessage } from 'node:http';
import { isIPv4 } from 'node:net';
import { LRUCache } from 'lru-cache';

export type HostRules = {
  /** The address that the server listens on. `HOST` can be a name, so only the listening server knows it. */
  listensOn: () => string;
  publicUrl: () => string;
  /** Further names, in lower case. */
  allowedHosts: readonly string[];
};

/**
 * True if the server has this name. A server that listens on a loopback address has only the names that are listed: a page
 * whose DNS name was rebound to the loopback address has the same origin as its own requests, so `Origin` does not
 * identify it. A server on another address has any name, because only its proxy and its network know them.
 *
 * @param host the Host header with or without a port, which is ignored; undefined with HTTP/1.0, which no browser sends
 */
export function isAllowedHost(host: string | undefined, rules: HostRules): boolean {
  if (host === undefined || !isLoopbackName(rules.listensOn())) return true;
  const name = hostNameOf(host);
  return (
    isLoopbackName(name) ||
    name === hostNameOf(new URL(rules.publicUrl()).host) ||
    rules.allowedHosts.includes(name)
  );
}

/** Without the port, in lower case, and without the dot at the end of an absolute DNS name. */
function hostNameOf(host: string): string {
  return host.replace(/:\d*$/, '').replace(/\.$/, '').toLowerCase();
}

function isLoopbackName(name: string): boolean {
  const address = name.replace(/^::ffff:/i, '');
  return /^(localhost|\[?::1\]?)$/i.test(name) || (isIPv4(address) && address.startsWith('127.'));
}

/** Yoga builds a URL from the Host header. Where that throws, its server adapter answers with the stack. */
export function isValidHost(host: string | undefined): boolean {
  if (host === undefined) return true;
  if (host.length > maxCachedLength) return hasHostFormat(host);
  const known = validHosts.get(host) ?? hasHostFormat(host);
  validHosts.set(host, known);
  return known;
}

/** Clients of one server send the same host. */
const maxCachedLength = 260;
const validHosts = new LRUCache<string, boolean>({ max: 100 });

function hasHostFormat(host: string): boolean {
  return /^([\w.-]+|\[[\da-f:.]+\])(:\d*)?$/i.test(host) && URL.canParse(`http://${host}/`);
}

/**
 * Replaces a request target in absolute form (`GET http://host/graphql`) by its path, and `Host` by its authority, as HTTP
 * requires. False: the target is not a valid URL.
 */
export function normalizeTarget(request: IncomingMessage): boolean {
  const { url = '/', headers } = request;
  const [, authority, path] = /^https?:\/\/([^/?#]*)(.*)$/i.exec(url) ?? [];
  if (authority === undefined || path === undefined) return true;
  if (!isValidHost(authority)) return false;
  headers.host = authority;
  request.url = path.startsWith('/') ? path : `/${path}`;
  return true;
}
