import { isIPv4, isIPv6 } from 'node:net';

/** The default of `PUBLIC_URL`. The wildcard addresses 0.0.0.0 and :: cannot be requested, so they become 127.0.0.1. */
export function publicUrlAt(host: string, port: number): string {
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return new URL(`http://${isIPv6(name) ? `[${name}]` : name}:${port}`).origin;
}

/** Whether only this machine can reach the URL, so that callbacks of the upstream cannot arrive. */
export function isLoopbackUrl(url: string): boolean {
  const name = new URL(url).hostname;
  return (
    /^(.*\.)?localhost\.?$|^\[::(1|ffff:7f\w\w:\w+)?\]$|^0\.0\.0\.0$/.test(name) ||
    (isIPv4(name) && name.startsWith('127.'))
  );
}
