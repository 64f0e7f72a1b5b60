import type { IncomingMessage, ServerResponse } from 'node:http';
import { answerLate } from './responses.ts';

/** How long a client may take to send what it asks, in milliseconds. */
export type Patience = {
  /** The URL and the headers. */
  headersMs: number;
  /** The body, of at most a megabyte. */
  bodyMs: number;
  /** A body with files, of at most 25. */
  filesMs: number;
};

/** Without an end to it, a stranger holds a connection for the price of a byte. Node's own limits are no shorter. */
export const usualPatience: Patience = { headersMs: 30_000, bodyMs: 60_000, filesMs: 300_000 };

/** Ends a request whose body has not arrived by then. Uploads have no such end: they move, or they are stalled. */
export function hurry(
  request: IncomingMessage,
  response: ServerResponse,
  { bodyMs, filesMs }: Patience,
): void {
  // Kept: a request that is over may have none any more.
  const { socket } = request;
  const hasFiles = /^multipart\//i.test(request.headers['content-type'] ?? '');
  const timer = setTimeout(
    () => {
      if (request.complete) return;
      if (response.headersSent) socket.destroy();
      else answerLate(response);
    },
    hasFiles ? filesMs : bodyMs,
  );
  request.once('end', () => clearTimeout(timer));
  // What was answered before it was read whole is read all the same: its client could not read the answer else.
  response.once('finish', () => request.resume());
  // Who has been answered may still be sending, and Node would listen for as long as it takes.
  response.once('close', () => {
    if (request.complete || socket.destroyed) clearTimeout(timer);
  });
}
