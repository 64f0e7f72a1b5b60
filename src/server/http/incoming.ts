import type { IncomingMessage, ServerResponse } from 'node:http';
import { BodyCollector } from '../operation/request-params.ts';

/** Undefined: the client has disconnected. Null: the body is above a limit. */
export function readBody(request: IncomingMessage): Promise<Buffer | null | undefined> {
  return new Promise((resolve) => {
    const collector = new BodyCollector();
    const finish = (body: Buffer | null | undefined) => {
      request.off('data', collect).off('end', end).off('close', leave);
      resolve(body);
    };
    const collect = (chunk: Buffer) => {
      if (!collector.add(chunk)) finish(null);
    };
    const end = () => finish(collector.end());
    const leave = () => finish(undefined);
    // The error of a client that disconnects; `close` follows.
    request.on('error', () => undefined);
    request.on('data', collect).on('end', end).on('close', leave);
  });
}

export function abortOnDisconnect(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  const abort = () => {
    if (!response.writableFinished) controller.abort();
  };
  if (response.closed) abort();
  else response.once('close', abort);
  return controller.signal;
}
