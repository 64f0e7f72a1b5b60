import type { Transport } from 'lipsync-graphql-client';

export type ConnectionMonitor = ReturnType<typeof createConnectionMonitor>;

/**
 * Observes whether streams are disconnected, to show it beside a running lip-sync. The kit reconnects by itself, and the first
 * event of any stream means that the connection works.
 */
export function createConnectionMonitor() {
  const listeners = new Set<() => void>();
  let isLost = false;
  const setLost = (value: boolean) => {
    if (value === isLost) return;
    isLost = value;
    for (const listener of listeners) listener();
  };
  return {
    read: () => isLost,
    subscribe(listener: () => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    /** Wraps a transport: events and heartbeats mean connected, a disconnect means lost. */
    monitor:
      (transport: Transport): Transport =>
      (server, operation, sink) =>
        transport(server, operation, {
          ...sink,
          next(result) {
            setLost(false);
            sink.next(result);
          },
          heartbeat() {
            setLost(false);
            sink.heartbeat();
          },
          disconnect(error) {
            setLost(true);
            sink.disconnect(error);
          },
        }),
  };
}
