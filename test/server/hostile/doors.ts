import {
  attempt,
  type Operation,
  type RawOperation,
  type Transport,
  type TransportResult,
} from '../../support/transports.ts';

/** The transports of a row. A row of the table that leaves one out does not compile. */
export const doors = ['POST', 'GET', 'SSE', 'WS'] as const;
export type Door = (typeof doors)[number];

export type Params = Operation;
export type Request = Operation | RawOperation;
export type Outcome = TransportResult;

const transportsOf: Record<Door, readonly Transport[]> = {
  POST: ['POST'],
  GET: ['GET', 'SSE by GET'],
  SSE: ['SSE by POST'],
  WS: ['WebSocket'],
};

export function openDoors(url: string) {
  return {
    /** The result of each transport, by its name. */
    ask: (door: Door, request: Request): Promise<[transport: string, Outcome][]> =>
      Promise.all(
        transportsOf[door].map(
          async (transport): Promise<[string, Outcome]> => [
            transport,
            await attempt(transport, { url, operation: request }),
          ],
        ),
      ),
    close: async () => undefined,
  };
}
