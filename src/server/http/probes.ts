import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Log } from '../../log.ts';
import type { Metrics } from './metrics.ts';
import { checkMethod, pathOf, sendJson } from './responses.ts';

export type ProbeOptions = {
  /** Throws while this process can't serve requests. */
  checkReady: () => Promise<void>;
  metrics: Metrics;
  /** The bearer tokens of `/metrics`, of which one is enough; null: none is required. */
  metricsTokens: readonly string[] | null;
  log: Log;
};

/** Answers `/livez`, `/readyz` and `/metrics`. */
export async function handleProbe(
  options: ProbeOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!checkMethod(['GET', 'HEAD'], request, response)) return;
  const path = pathOf(request);
  if (path === '/livez') return sendJson(response, 200, { status: 'ok' });
  if (path === '/metrics') return handleMetrics(options, request, response);
  return handleReady(options, response);
}

async function handleMetrics(
  { metrics, metricsTokens }: ProbeOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const isAllowed = metricsTokens === null || hasBearerToken(request, metricsTokens);
  if (isAllowed) return metrics.send(response);
  response.setHeader('www-authenticate', 'Bearer');
  sendJson(response, 401, {
    code: 'NOT_AUTHENTICATED',
    message: 'Send METRICS_TOKEN as a bearer token.',
  });
}

/** Compares the hashes in constant time, so that the response time reveals neither the token nor its length. */
function hasBearerToken({ headers }: IncomingMessage, tokens: readonly string[]): boolean {
  const [, presented = ''] = /^bearer +(\S+) *$/i.exec(headers.authorization ?? '') ?? [];
  const hash = (text: string) => createHash('sha256').update(text).digest();
  return tokens.some((token) => timingSafeEqual(hash(presented), hash(token)));
}

async function handleReady(options: ProbeOptions, response: ServerResponse): Promise<void> {
  try {
    await options.checkReady();
    sendJson(response, 200, { status: 'ready' });
  } catch (error) {
    options.log.warn({ err: error }, 'not ready');
    sendJson(response, 503, { status: 'not ready' });
  }
}
