import {
  type AnyOperation,
  attempt,
  type Transport,
  type TransportResult,
} from '../../support/transports.ts';

/** The transports of each column of the table. A row that leaves a column out does not compile. */
const transportsOf = {
  POST: ['POST'],
  GET: ['GET', 'SSE by GET'],
  SSE: ['SSE by POST'],
  WS: ['WebSocket'],
  multipart: ['multipart stream'],
} as const satisfies Record<string, readonly Transport[]>;

export type TransportGroup = keyof typeof transportsOf;
export const transportGroups = Object.keys(transportsOf) as TransportGroup[];

/** The result of each transport of the group, by its name. */
export function attemptEach(
  url: string,
  group: TransportGroup,
  operation: AnyOperation,
): Promise<[transport: string, TransportResult][]> {
  return Promise.all(
    transportsOf[group].map(async (transport) => [
      transport,
      await attempt(transport, { url, operation }),
    ]),
  );
}
