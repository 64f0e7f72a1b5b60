import type { buildConnector } from 'undici';
import { createAddressRules, type UrlProblem } from './address-rules.ts';
import { createGuardedConnector } from './connector.ts';
import { createHostResolver, type Resolve } from './resolve.ts';

/** The one guard of requests to addresses that callers name: webhooks, the callbacks of routers, and imports. */
export type Outbound = {
  /**
   * Null if the URL is accepted, otherwise what is wrong with it. The address that its host resolves to is checked by the
   * connector, for each connection.
   *
   * @param name the input field, for the message
   * @param maxLength in characters. Default: 2,048, for URLs that callers give
   */
  checkUrl(url: string, name: string, maxLength?: number): UrlProblem | null;
  /** For one request, over one connection. `signal` ends its DNS queries. */
  connectorFor(request: { timeoutMs: number; signal: AbortSignal }): buildConnector.connector;
};

export type OutboundOptions = {
  /** Networks (`10.0.0.0/8`), addresses and host names that are allowed although they are not public. */
  allowedNetworks: readonly string[];
  /** Resolves host names, for tests. */
  resolve?: Resolve | undefined;
};

export function createOutbound({ allowedNetworks, ...options }: OutboundOptions): Outbound {
  const rules = createAddressRules(allowedNetworks);
  const { resolve = createHostResolver(rules) } = options;
  return {
    checkUrl: rules.checkUrl,
    connectorFor: (request) => createGuardedConnector({ rules, resolve, ...request }),
  };
}
