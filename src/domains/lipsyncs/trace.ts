import { channel } from 'node:diagnostics_channel';
import type { LipsyncStatus } from './lifecycle.ts';

type Step = keyof typeof steps;
type StepMessage = { lipsyncId: string; status?: LipsyncStatus };

/**
 * The steps of a lip-sync as channels of `node:diagnostics_channel`: for an operator's own tracing (a module given to
 * `node --import` subscribes by name) and for the kill tests. A step without subscribers costs almost nothing. A
 * subscriber runs synchronously inside the step, sometimes inside a transaction, so it must not block.
 */
const steps = {
  /** Inside the transaction that creates the lip-sync, before anything is written. */
  'row-writing': channel('lipsync:row-writing'),
  /** The row is committed, as waiting or as claimed by this process. Nothing was sent. */
  'row-written': channel('lipsync:row-written'),
  /** The start of the POST is committed. No byte was sent yet; undici's own channels publish that. */
  'post-started': channel('lipsync:post-started'),
  /** The outcome of the POST is known to this process and not stored yet. */
  'answer-read': channel('lipsync:answer-read'),
  /** A new status and its event are written but not committed. The message contains the status. */
  'status-written': channel('lipsync:status-written'),
  /** A notification of a committed change arrived, from any instance. */
  notified: channel('lipsync:notified'),
};

export function trace(step: Step, message: StepMessage): void {
  steps[step].publish(message);
}
