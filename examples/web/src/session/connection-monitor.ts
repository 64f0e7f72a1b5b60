import type { Transport } from 'lipsync-graphql-client';

export type Connection = ReturnType<typeof createConnection>;

/** Whether what is watched is out of reach. The kit comes back by itself, and only people need to know meanwhile. */
export function createConnection() {
  const listeners = new Set<() => void>();
  let isLost = false;
  const tell = (now: boolean) => {
    if (now === isLost) return;
    isLost = now;
    for (const listener of listeners) listener();
  };
  return {
    read: () => isLost,
    subscribe(listener: () => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    /** The same transport, overheard. */
    overhear:
      (transport: Transport): Transport =>
      (server, operation, sink) => {
        const close = transport(server, operation, {
          ...sink,
          next(result) {
            tell(false);
            sink.next(result);
          },
          live() {
            tell(false);
            sink.live();
          },
          break(error) {
            tell(true);
            sink.break(error);
          },
        });
        return close;
      },
    /** Nobody watches any more. */
    forget: () => tell(false),
  };
}
