import type { ExecutionResult } from 'graphql';
import { NotAuthenticatedError } from '../../errors.ts';
import { isRejectedResult } from '../operation/request-error.ts';
import type { EndReason } from '../sse/formats.ts';
import type { EventStreams } from '../sse/streams.ts';
import { PayloadStream } from '../subscriptions/payload-stream.ts';
import { type Answer, answerOf, type ToolCall } from './call.ts';
import { getLipsync, watchLipsync } from './documents.ts';
import { success, type ToolResult } from './result.ts';

export type Progress = { progress: number; total: number; message: string };

/** What a tool that waits needs of its request. */
export type Waiting = {
  streams: Pick<EventStreams, 'register'>;
  /** Sends a notification, if the client asked for them. */
  notify(progress: Progress): Promise<void>;
};

type Event = { status: string; percent: number; queuePosition: number | null; lipsync: Answer };

/** Why a wait ended before the lip-sync did. */
type Interruption = EndReason | 'TOO_LONG' | 'DISCONNECTED';

/**
 * Follows the log of the lip-sync. The wait has no state that another instance would need: a client that lost the
 * connection calls again, and the wait starts with the newest event.
 *
 * @throws the failure
 */
export async function waitForLipsync(
  call: ToolCall,
  { id, maxSeconds }: { id: string; maxSeconds: number },
  { streams, notify }: Waiting,
): Promise<ToolResult> {
  const stream = await call.run(watchLipsync, { id });
  if (!(stream instanceof PayloadStream)) {
    return success(answerOf(isRejectedResult(stream) ? stream : (stream as ExecutionResult)));
  }
  let interruption: Interruption | null = null;
  const interrupt = (reason: Interruption) => {
    interruption ??= reason;
    void stream.return();
  };
  const { caller, signal } = call.context;
  const open = streams.register(caller, interrupt, 'mcp');
  const timer = setTimeout(interrupt, maxSeconds * 1_000, 'TOO_LONG');
  const disconnect = () => interrupt('DISCONNECTED');
  signal.addEventListener('abort', disconnect, { once: true });
  if (signal.aborted) disconnect();
  try {
    const report = createReporter(notify);
    for await (const result of stream) await report(answerOf(result) as Event);
  } finally {
    clearTimeout(timer);
    open.close();
    signal.removeEventListener('abort', disconnect);
    stream.close();
  }
  if (interruption === 'SIGNED_OUT') throw new NotAuthenticatedError();
  // Read again: the estimate in the last event is as old as that event.
  const lipsync = await call.execute(getLipsync, { id });
  return success({ lipsync, finished: lipsync.isFinal });
}

/** The protocol requires that the progress rises with each notification, and events can have the same percentage. */
const minRise = 0.01;

function createReporter(notify: Waiting['notify']) {
  let last = -minRise;
  return async ({ status, percent, queuePosition }: Event) => {
    last = Math.max(percent, last + minRise);
    const place = queuePosition === null ? '' : `, place ${queuePosition} in the queue`;
    await notify({ progress: last, total: 100, message: `${status}${place}` });
  };
}
