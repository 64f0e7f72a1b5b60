import { channel } from 'node:diagnostics_channel';
import type { LipsyncStatus } from './lifecycle.ts';

type Step = keyof typeof steps;
type StepMessage = { lipsyncId: string; status?: LipsyncStatus };

/**
 * The steps of a lip-sync as channels of `node:diagnostics_channel`, for an operator's own tracing (a module given to
 * `node --import` subscribes to them by name) and for the kill loop of the tests. A step that nobody subscribed to
 * costs a call that does nothing. A subscriber runs inside the step, sometimes inside its transaction: it must not wait.
 */
const steps = {
  /** In the transaction that creates it, before anything of it is written. */
  'row-writing': channel('lipsync:row-writing'),
  /** Its row is committed, as waiting or as claimed by this process. Nothing was sent. */
  'row-written': channel('lipsync:row-written'),
  /** That its POST starts is committed. No byte was sent; undici's own channels tell when they are. */
  'post-started': channel('lipsync:post-started'),
  /** What the POST led to is known to this process and to nobody else. */
  'answer-read': channel('lipsync:answer-read'),
  /** A new status and its event are written, and not committed. The message tells the status. */
  'status-written': channel('lipsync:status-written'),
  /** Word of a committed change has come, of this process or of another one. */
  notified: channel('lipsync:notified'),
};

export function trace(step: Step, message: StepMessage): void {
  steps[step].publish(message);
}
