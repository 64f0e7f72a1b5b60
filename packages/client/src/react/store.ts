/** A value for `useSyncExternalStore`. */
export type Store<Value> = {
  read: () => Value;
  write: (value: Value) => void;
  subscribe: (listener: () => void) => () => void;
  /** Whether a mounted component shows the value. */
  isUsed: () => boolean;
};

/** @param onUnused called when the last component that shows the value has been unmounted */
export function createStore<Value>(initial: Value, onUnused?: () => void): Store<Value> {
  const listeners = new Set<() => void>();
  let value = initial;
  const isUsed = () => listeners.size > 0;
  return {
    read: () => value,
    write(next) {
      value = next;
      for (const listener of listeners) listener();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
        // Deferred, because StrictMode unmounts a component and mounts it again in the same turn.
        setTimeout(() => {
          if (!isUsed()) onUnused?.();
        });
      };
    },
    isUsed,
  };
}

export function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
