import { setTimeout as delay } from 'node:timers/promises';
import { type UnavailableReason, UpstreamUnavailableError } from '../errors.ts';

const maxTries = 3;
const maxDelayMs = 2_000;

// Failures that can be over within seconds. An unreadable response or an unknown status would come again. 429 and 596
// are failures of other classes and never retried: the first asks for 10 s or more, the second for an operator.
const transient: ReadonlySet<UnavailableReason> = new Set([
  'TIMEOUT',
  'CONNECTION_FAILED',
  'SERVER_ERROR',
]);

/**
 * Tries a read up to 3 times while its failure is transient. It backs off with full jitter: a random wait between 0 and a
 * bound that doubles (AWS's "exponential backoff and jitter"), so that reads that failed together do not retry together.
 *
 * @param options `baseMs` is the bound of the first wait; an aborted `signal` ends the wait and rejects with its reason
 */
export async function retryRead<T>(
  read: () => Promise<T>,
  options: { baseMs: number; signal: AbortSignal },
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await read();
    } catch (thrown) {
      if (tries === maxTries || !isTransient(thrown)) {
        throw thrown;
      }
    }
    const boundMs = Math.min(maxDelayMs, options.baseMs * 2 ** (tries - 1));
    await pause(Math.random() * boundMs, options.signal);
  }
}

function isTransient(thrown: unknown): boolean {
  return thrown instanceof UpstreamUnavailableError && transient.has(thrown.reason);
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch {
    throw signal.reason;
  }
}
