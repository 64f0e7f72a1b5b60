import { publicUrlAt } from '../config/public-url.ts';
import type { Config } from '../config.ts';
import type { AccountState } from './check-accounts.ts';
import { error, type Finding, inOrder, skipped, warning } from './finding.ts';
import { type HttpAnswer, parseBody, request } from './http.ts';

const timeoutMs = 10_000;

/** Whether a server runs at HOST:PORT, and is ready. */
export async function checkServer(
  config: Pick<Config, 'server'>,
): Promise<{ findings: Finding[]; isRunning: boolean }> {
  const { host, port } = config.server;
  if (port === 0) {
    const text = 'PORT=0 chooses a free port, so a running server cannot be found.';
    return { findings: [skipped('server', text)], isRunning: false };
  }
  const answer = await request({ url: `${publicUrlAt(host, port)}/readyz`, timeoutMs });
  if (answer.kind === 'failed') {
    const text = `No server answers at HOST and PORT (${answer.reason}).`;
    return { findings: [skipped('server', text)], isRunning: false };
  }
  if (answer.status === 200) {
    return { findings: [inOrder('server', 'A server runs and is ready.')], isRunning: true };
  }
  if (answer.status === 503) {
    const finding = error('server', 'server-not-ready', {
      message: 'A server runs and is not ready: its database is unavailable, or it is stopping.',
      advice: 'Check the database. The log says `not ready` with the reason.',
    });
    return { findings: [finding], isRunning: true };
  }
  const finding = error('server', 'port-taken', {
    message: `Another program answers at HOST and PORT (HTTP ${answer.status}).`,
    advice: 'Stop it, or set PORT.',
  });
  return { findings: [finding], isRunning: false };
}

/**
 * Whether callbacks of the upstream arrive at this server. Asked by GET, which the server refuses without any effect: a proxy
 * need not publish `/livez`, but must publish `/callbacks/`.
 */
export async function checkPublicUrl(
  config: Pick<Config, 'server' | 'mode'>,
  { isRunning }: { isRunning: boolean },
): Promise<Finding[]> {
  const { publicUrl, publicUrlIsLoopback } = config.server;
  if (publicUrl === null) return [];
  if (config.mode === 'live' && publicUrlIsLoopback) {
    return [
      warning('public-url', 'public-url-loopback', {
        message:
          'PUBLIC_URL is a loopback address: the video service cannot call back, and results are found by polls.',
        advice: 'Set PUBLIC_URL to the https address under which the internet reaches this server.',
      }),
    ];
  }
  const answer = await request({ url: `${publicUrl}/callbacks/doctor`, timeoutMs });
  return [describePublicUrl(answer, isRunning)];
}

function describePublicUrl(answer: HttpAnswer, isRunning: boolean): Finding {
  if (answer.kind === 'failed') {
    const message = `PUBLIC_URL does not answer (${answer.reason}).`;
    const advice =
      'Check the name, the port, the certificate and the proxy. From some networks a server cannot reach its own public address: then try `curl` from outside.';
    if (isRunning) return error('public-url', 'public-url-unreachable', { message, advice });
    return skipped('public-url', `${message} No server runs here, so that may be why.`, advice);
  }
  const { status, text } = answer;
  const body = parseBody(text);
  if (status === 405 && isObject(body) && body.code === 'METHOD_NOT_ALLOWED') {
    return inOrder('public-url', 'Callbacks to PUBLIC_URL arrive at this server.');
  }
  if (status >= 300 && status < 400) {
    return error('public-url', 'public-url-redirects', {
      message: `PUBLIC_URL redirects (HTTP ${status}): callbacks and uploads lose their body.`,
      advice: 'Set PUBLIC_URL to the address at the end of the redirect, usually with https.',
    });
  }
  if (status === 421) {
    return error('public-url', 'public-url-unknown-host', {
      message: 'The server rejects the host of PUBLIC_URL (HTTP 421).',
      advice:
        'The running server was started with another PUBLIC_URL: restart it, or set ALLOWED_HOSTS.',
    });
  }
  return error('public-url', 'public-url-elsewhere', {
    message: `Callbacks to PUBLIC_URL do not arrive at this server (HTTP ${status}).`,
    advice:
      'Publish /callbacks/ and /uploads/ through the proxy: docs/operations.md, "Behind a proxy and a CDN". 502 or 503: the proxy reaches no server.',
  });
}

const accountsQuery = `{ accounts { ... on AccountList { nodes { id hasPendingError pausedBy credits } } } }`;

/** The accounts as the running server shows them. Null if the caller is not an admin there. */
export async function askForAccounts(
  config: Pick<Config, 'server'>,
  token: string | null,
): Promise<AccountState[] | null> {
  const { host, port } = config.server;
  const answer = await request({
    url: `${publicUrlAt(host, port)}/graphql`,
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ query: accountsQuery }),
    timeoutMs,
  });
  const body = answer.kind === 'answered' ? parseBody(answer.text) : undefined;
  const nodes = readPath(body, ['data', 'accounts', 'nodes']);
  if (!Array.isArray(nodes)) return null;
  return nodes.filter(isObject).map((node) => ({
    name: String(node.id),
    hasPendingError: node.hasPendingError === true,
    pausedBy: typeof node.pausedBy === 'string' ? node.pausedBy : null,
    credits: typeof node.credits === 'number' ? node.credits : null,
  }));
}

function readPath(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((at, name) => (isObject(at) ? at[name] : undefined), value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
