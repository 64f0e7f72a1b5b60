import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { Result } from './answer.ts';
import { readResult } from './ask.ts';
import { LipsyncRequestError } from './errors.ts';
import { addressOf, type LipsyncServer, type Operation, post } from './server.ts';
import { createWatchdog, defaultSilenceMs, type Sink, type Transport } from './transport.ts';

export type ServerSentEventsOptions = {
  /** A stream that says nothing for this long, not even that it lives, is opened anew. Default 30 000. */
  silenceMs?: number | undefined;
};

/**
 * Streams over plain HTTP, which passes through everything that lets requests through. They are read by `fetch`, since
 * a browser's `EventSource` can send no token. Over HTTP/1.1 a browser opens no more than six to one host: where
 * a page watches more at once, take `webSocket`.
 */
export function serverSentEvents({
  silenceMs = defaultSilenceMs,
}: ServerSentEventsOptions = {}): Transport {
  return (server, operation, sink) => {
    addressOf(server);
    const leaving = new AbortController();
    const watchdog = createWatchdog(silenceMs, () => leaving.abort(new Error('Silence.')));
    const close = () => {
      watchdog.stop();
      leaving.abort();
    };
    const { signal } = leaving;
    watchdog.touch();
    read(server, operation, { sink, signal, touch: watchdog.touch })
      .catch((error) =>
        error instanceof LipsyncRequestError ? sink.refuse(error) : sink.break(error),
      )
      .finally(close);
    return close;
  };
}

async function read(
  server: LipsyncServer,
  operation: Operation,
  { sink, signal, touch }: { sink: Sink; signal: AbortSignal; touch: () => void },
): Promise<void> {
  const response = await post(server, operation, { accept: 'text/event-stream', signal });
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream');
  if (isStream !== true || response.body === null) return readRefusal(response, sink);
  const parser = createParser({
    onEvent: (event) => tell(event, sink),
    onComment: () => sink.live(),
    onRetry: (ms) => sink.retryAfter(ms),
  });
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) throw new Error('The stream broke off.');
    touch();
    parser.feed(decoder.decode(value, { stream: true }));
  }
}

async function readRefusal(response: Response, sink: Sink): Promise<void> {
  sink.next(await readResult(response));
  sink.complete();
}

function tell({ event, data }: EventSourceMessage, sink: Sink): void {
  if (event === 'complete') sink.complete();
  if (event === 'next') sink.next(JSON.parse(data) as Result);
}
