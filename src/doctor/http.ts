import { errorCodeOf } from '../log/error-code.ts';
/** The response of an address, or the reason why there is none. */
export type HttpAnswer =
  | { kind: 'answered'; status: number; headers: Headers; text: string; before: Date; after: Date }
  | { kind: 'failed'; reason: string };

export type HttpRequest = {
  url: string;
  method?: 'GET' | 'POST';
  headers?: Record<string, string>;
  body?: string;
  timeoutMs: number;
};

const maxCharacters = 4_000_000;

/** Never follows a redirect: a redirected POST would lose its body. Doesn't throw. */
export async function request(given: HttpRequest, now = () => new Date()): Promise<HttpAnswer> {
  const { url, method = 'GET', headers = {}, body, timeoutMs } = given;
  const before = now();
  try {
    const response = await fetch(url, {
      method,
      headers,
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
      ...(body === undefined ? {} : { body }),
    });
    const text = (await response.text()).slice(0, maxCharacters);
    const { status, headers: received } = response;
    return { kind: 'answered', status, headers: received, text, before, after: now() };
  } catch (thrown) {
    return { kind: 'failed', reason: reasonOf(thrown) };
  }
}

/** A code such as ECONNREFUSED: messages can contain the address. */
function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return 'no answer';
  return thrown.name === 'TimeoutError'
    ? 'no answer in time'
    : (errorCodeOf(thrown.cause) ?? 'no answer');
}

export function parseBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
