/**
 * What the client needs and React Native does not have: `AbortSignal.any`, `AbortSignal.timeout`, `throwIfAborted`, and
 * `crypto.getRandomValues`. Import it before the client, in the first line of the app's entry.
 *
 * @param getRandomValues of the package `expo-crypto`, or of `react-native-get-random-values`
 */
export function installPolyfills(
  getRandomValues: (values: Uint32Array<ArrayBuffer>) => Uint32Array<ArrayBuffer>,
): void {
  AbortSignal.any ??= joinSignals;
  AbortSignal.timeout ??= abortAfter;
  AbortSignal.prototype.throwIfAborted ??= throwIfAborted;
  globalThis.crypto ??= { getRandomValues } as typeof crypto;
}

function joinSignals(signals: AbortSignal[]): AbortSignal {
  const joined = new AbortController();
  for (const signal of signals) {
    const abort = () => abortWith(joined, signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort);
  }
  return joined.signal;
}

function abortAfter(ms: number): AbortSignal {
  const late = new AbortController();
  setTimeout(() => abortWith(late, new Error('The time is over.')), ms);
  return late.signal;
}

function throwIfAborted(this: AbortSignal): void {
  if (this.aborted) throw this.reason;
}

/** Older signals have no reason of their own. */
function abortWith(controller: AbortController, reason: unknown = new Error('Aborted.')): void {
  controller.abort(reason);
  if (controller.signal.reason !== reason) {
    Object.defineProperty(controller.signal, 'reason', { value: reason });
  }
}
