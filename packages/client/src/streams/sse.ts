import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { LipsyncRequestError } from '../errors.ts';
import { readResponse } from '../execute.ts';
import type { ExecutionResult } from '../result.ts';
import { type LipsyncServer, type Operation, post, resolveUrl } from '../server.ts';
import { createWatchdog, defaultSilenceMs, type Sink, type Transport } from './transport.ts';

/** Options of `serverSentEvents`. */
export type ServerSentEventsOptions = {
  /** A stream that receives nothing for this long, not even a heartbeat, is reopened. Default 30 000. */
  silenceMs?: number | undefined;
};

/**
 * Streams over plain HTTP, which passes every proxy that lets requests through. They are read with `fetch`, because a
 * browser's `EventSource` cannot send a token. Over HTTP/1.1 a browser opens at most six connections to one host: a page
 * that watches more streams at once needs `webSocket`.
 */
export function serverSentEvents({
  silenceMs = defaultSilenceMs,
}: ServerSentEventsOptions = {}): Transport {
  return (server, operation, sink) => {
    resolveUrl(server);
    const closing = new AbortController();
    const watchdog = createWatchdog(silenceMs, () =>
      closing.abort(new Error('The stream fell silent.')),
    );
    const close = () => {
      watchdog.stop();
      closing.abort();
    };
    const { signal } = closing;
    watchdog.reset();
    readStream(server, operation, { sink, signal, onBytes: watchdog.reset })
      .catch((error) =>
        error instanceof LipsyncRequestError ? sink.refuse(error) : sink.disconnect(error),
      )
      .finally(close);
    return close;
  };
}

async function readStream(
  server: LipsyncServer,
  operation: Operation,
  { sink, signal, onBytes }: { sink: Sink; signal: AbortSignal; onBytes: () => void },
): Promise<void> {
  const response = await post(server, operation, { accept: 'text/event-stream', signal });
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream');
  if (isStream !== true || response.body === null) return readSingleResult(response, sink);
  const parser = createParser({
    onEvent: (event) => dispatch(event, sink),
    onComment: () => sink.heartbeat(),
    onRetry: (ms) => sink.retryAfter(ms),
  });
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) throw new Error('The stream ended without a complete event.');
    onBytes();
    parser.feed(decoder.decode(value, { stream: true }));
  }
}

/** A request error arrives as a plain response in place of a stream. */
async function readSingleResult(response: Response, sink: Sink): Promise<void> {
  sink.next(await readResponse(response));
  sink.complete();
}

function dispatch({ event, data }: EventSourceMessage, sink: Sink): void {
  if (event === 'complete') sink.complete();
  if (event === 'next') sink.next(JSON.parse(data) as ExecutionResult);
}
