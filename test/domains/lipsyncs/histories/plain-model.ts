import type { Outcome } from '../../../support/fake-upstream/outcomes.ts';
import type { FakeUpstream } from '../../../support/fake-upstream/server.ts';
import type { JobStatus } from '../../../support/fake-upstream/state.ts';
import { nextStatuses } from '../next-statuses.ts';

/*
 * A plain model of lip-syncs, without SQL, network or concurrency. It reads the true state of the fake upstream.
 */

export const maxJobMs = 7_200_000;
export const leaseMs = 70_000;

export type Status =
  | 'QUEUED'
  | 'SUBMITTING'
  | 'SUBMITTED'
  | 'GENERATING'
  | 'COMPLETED'
  | 'FAILED'
  | 'MODERATED'
  | 'CANCELLED'
  | 'EXPIRED';

/** Submissions of a dead instance are never settled. */
export type Instance = { isAlive: boolean; isCurrent: boolean };

type Claim = {
  by: Instance;
  isPosting: boolean;
  leaseUntil: number;
  /** Set if the POST answers a create request: a rejection is then that answer, and `mayWait` allows queueing instead. */
  answers: { mayWait: boolean } | null;
};

export type ModelLipsync = {
  id: string;
  owner: string;
  status: Status;
  /** FAILED with OutcomeUnknownError. */
  hasFailedAsUnknown: boolean;
  expiresAt: number | null;
  /** While SUBMITTING and not `isOutcomeUnknown`. */
  claim: Claim | null;
  /** The instance that sent the POST, and gets the answer at any later time. */
  sender: Instance | null;
  isOutcomeUnknown: boolean;
  isAttached: boolean;
  hints: 'none' | 'rubbish' | 'its own';
  isCancelRequested: boolean;
  /** The instance whose cancel request waits for the answer of the POST. */
  cancelledBy: Instance | null;
  /** Since when its job is known, or else its POST began. */
  since: number;
};

export type Model = {
  lipsyncs: Map<string, ModelLipsync>;
  now: number;
  upstream: FakeUpstream;
  instance: Instance;
};

export const canTransition = (from: Status, to: Status) =>
  nextStatuses[from].split(' ').includes(to);
export const isEnd = (status: Status) => nextStatuses[status] === '';

/** Reconciliation applies only to these. */
export function isOpen({ status, isOutcomeUnknown: isLost }: ModelLipsync): boolean {
  return status === 'SUBMITTED' || status === 'GENERATING' || (status === 'SUBMITTING' && isLost);
}

export function newLipsync(id: string, owner: string, expiresAt: number | null): ModelLipsync {
  return {
    id,
    owner,
    status: 'QUEUED',
    hasFailedAsUnknown: false,
    expiresAt,
    claim: null,
    sender: null,
    isOutcomeUnknown: false,
    isAttached: false,
    hints: 'none',
    isCancelRequested: false,
    cancelledBy: null,
    since: 0,
  };
}

/** Whether the upstream shows that the job belongs to this lip-sync. */
function isFindable(model: Model, { id, hints }: ModelLipsync): boolean {
  const { behaviour } = model.upstream;
  const job = model.upstream.jobOf(id);
  if (job === undefined) return false;
  return (
    (behaviour.schedulesReplyRef && job.isTracked) || behaviour.listsReplyRef || hints === 'its own'
  );
}

const statusOf: Record<JobStatus, Status> = {
  1: 'COMPLETED',
  5: 'SUBMITTED',
  7: 'MODERATED',
  8: 'FAILED',
  9: 'GENERATING',
  10: 'GENERATING',
};

/** The upstream was read. */
export function reconcile(model: Model, lipsync: ModelLipsync): void {
  const isLate = lipsync.status === 'FAILED' && lipsync.hasFailedAsUnknown;
  const job = model.upstream.jobOf(lipsync.id);
  if ((!isOpen(lipsync) && !isLate) || job === undefined) return;
  if (!(lipsync.isAttached || isFindable(model, lipsync))) return;
  if (isOpen(lipsync) && !lipsync.isAttached) accept(model, lipsync);
  lipsync.isAttached = true;
  const seen = statusOf[job.status];
  if (isLate ? isEnd(seen) : canTransition(lipsync.status, seen)) {
    lipsync.status = seen;
    lipsync.hasFailedAsUnknown = false;
  }
}

export function reconcileAll(model: Model): void {
  for (const lipsync of model.lipsyncs.values()) if (isOpen(lipsync)) reconcile(model, lipsync);
}

function accept(model: Model, lipsync: ModelLipsync): void {
  lipsync.isAttached = true;
  lipsync.isOutcomeUnknown = false;
  lipsync.claim = null;
  lipsync.since = model.now;
  lipsync.status = lipsync.isCancelRequested ? 'CANCELLED' : 'SUBMITTED';
}

function requeue(lipsync: ModelLipsync): void {
  lipsync.status = lipsync.isCancelRequested ? 'CANCELLED' : 'QUEUED';
  lipsync.claim = null;
  lipsync.isOutcomeUnknown = false;
  lipsync.hints = 'none';
}

/** This instance claimed it, and started its POST or died before. */
export function claim(
  model: Model,
  lipsync: ModelLipsync,
  how: Pick<Claim, 'isPosting' | 'answers'>,
): void {
  lipsync.status = 'SUBMITTING';
  lipsync.since = model.now;
  lipsync.claim = { by: model.instance, leaseUntil: model.now + leaseMs, ...how };
  if (how.isPosting) lipsync.sender = model.instance;
}

/** A callback came. A video that it names is kept as a hint while the job's id is not known. */
export function callBack(model: Model, lipsync: ModelLipsync, hint: ModelLipsync['hints']): void {
  const isSent =
    lipsync.status === 'SUBMITTING' &&
    (lipsync.isOutcomeUnknown || lipsync.claim?.isPosting === true);
  if (!lipsync.isAttached && (isSent || lipsync.hasFailedAsUnknown)) {
    if (hint !== 'none' && lipsync.hints !== 'its own') lipsync.hints = hint;
  }
  reconcile(model, lipsync);
}

/** A POST was answered or failed. */
export function settle(model: Model, lipsync: ModelLipsync, outcome: Outcome): void {
  if (lipsync.status !== 'SUBMITTING' || outcome.endsWith('held')) return;
  if (outcome === 'accepted') {
    accept(model, lipsync);
    if (lipsync.hints !== 'none') reconcile(model, lipsync);
  } else if (/^4/.test(outcome)) handleRejection(model, lipsync, outcome);
  else markOutcomeUnknown(model, lipsync);
}

/** It is requeued, fails, or the rejection answers the create request and it is deleted. */
function handleRejection(model: Model, lipsync: ModelLipsync, outcome: Outcome): void {
  const answers = lipsync.claim?.answers ?? null;
  const isBusy = outcome === '429';
  if (answers !== null && !(isBusy && answers.mayWait)) model.lipsyncs.delete(lipsync.id);
  else if (isBusy) requeue(lipsync);
  else lipsync.status = outcome === '422' ? 'MODERATED' : 'FAILED';
}

/** The search for the job begins at once. */
function markOutcomeUnknown(model: Model, lipsync: ModelLipsync): void {
  lipsync.claim = null;
  lipsync.isOutcomeUnknown = true;
  if (lipsync.cancelledBy?.isAlive === true) lipsync.status = 'CANCELLED';
  reconcile(model, lipsync);
}

/** Expiry, takeover and giving up. */
export function tick(model: Model, areLeasesVoid = false): void {
  for (const lipsync of model.lipsyncs.values()) {
    const { claim, expiresAt } = lipsync;
    if (lipsync.status === 'QUEUED' && expiresAt !== null && expiresAt <= model.now) {
      lipsync.status = 'EXPIRED';
    }
    const isOrphan = claim !== null && claim.by !== model.instance;
    if (isOrphan && (areLeasesVoid || claim.leaseUntil <= model.now)) takeOver(model, lipsync);
  }
  const overdue = () =>
    [...model.lipsyncs.values()].filter(
      (lipsync) => isOpen(lipsync) && lipsync.since <= model.now - maxJobMs,
    );
  if (overdue().length > 0) reconcileAll(model);
  for (const lipsync of overdue()) {
    lipsync.hasFailedAsUnknown = lipsync.status === 'SUBMITTING';
    lipsync.status = 'FAILED';
  }
}

function takeOver(model: Model, lipsync: ModelLipsync): void {
  if (lipsync.claim?.isPosting === true) markOutcomeUnknown(model, lipsync);
  else requeue(lipsync);
}

export function cancel(model: Model, lipsync: ModelLipsync): void {
  if (isEnd(lipsync.status)) return;
  if (lipsync.claim === null) {
    lipsync.status = 'CANCELLED';
    return;
  }
  lipsync.isCancelRequested = true;
  lipsync.cancelledBy = model.instance;
}
