import { type Answer, answerError, errorText, type Reply } from '../http/responses.ts';
import type { Fault, SwitchBoard } from './switches.ts';

/** Takes the first fault that is due for this request and counts it down. */
export function takeFault(
  switches: SwitchBoard,
  request: { method: string; path: string },
): Fault | undefined {
  const faults = switches.now.failPath ?? [];
  const due = faults.find((fault) => matches(fault, request));
  if (!due) return undefined;
  const left = faults.flatMap((fault) => {
    if (fault !== due) return [fault];
    return fault.times > 1 ? [{ ...fault, times: fault.times - 1 }] : [];
  });
  switches.change({ failPath: left.length > 0 ? left : null });
  return due;
}

/** What a fault answers. Without a body of its own it is the documented error of its status. */
export function replyOfFault(fault: Fault, isLipsync: boolean): Reply {
  if (fault.action !== 'answer') return fault.action;
  const answer =
    fault.body === undefined
      ? answerError(fault.status, errorText(fault.status), isLipsync)
      : answerBody(fault.status, fault.body);
  return {
    ...answer,
    headers: { ...answer.headers, ...fault.headers },
    ...(fault.truncateAt === undefined ? {} : { truncateAt: fault.truncateAt }),
  };
}

function answerBody(status: number, body: unknown): Answer {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const type = typeof body === 'string' ? guessType(body) : 'application/json; charset=utf-8';
  return { status, headers: { 'content-type': type }, body: text };
}

/** Half JSON is still sent as JSON: that is the lie a client must survive. */
function guessType(text: string): string {
  if (text.startsWith('<')) return 'text/html; charset=utf-8';
  return /^\s*[[{"]/.test(text) ? 'application/json; charset=utf-8' : 'text/plain; charset=utf-8';
}

function matches(fault: Fault, request: { method: string; path: string }): boolean {
  if (fault.method !== undefined && fault.method !== request.method) return false;
  if (fault.path.endsWith('*')) return request.path.startsWith(fault.path.slice(0, -1));
  return fault.path.replace(/(.)\/$/, '$1') === request.path;
}
