import {
  serverSentEvents,
  type WatchableServer,
  watchLipsync,
  webSocket,
} from 'lipsync-graphql-client';

/** Both transports; each call of `make` creates a new one. */
export const transports = [
  { name: 'server-sent events', make: serverSentEvents },
  { name: 'WebSocket', make: webSocket },
];

/** The default number of attempts with delays of milliseconds, because tests wait for events and not for time. */
export const fastBackOff = { firstMs: 1, maxMs: 20 };
export const threeAttempts = { ...fastBackOff, attempts: 3 };

/** Watches until the end and returns the sequence numbers of the events. */
export async function collectSequences(server: WatchableServer, id: string): Promise<number[]> {
  const sequences: number[] = [];
  for await (const update of watchLipsync(server, id)) {
    if (update.__typename === 'LipsyncProgress') sequences.push(update.sequence);
  }
  return sequences;
}
