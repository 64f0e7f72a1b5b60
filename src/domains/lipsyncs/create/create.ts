import { createHash } from 'node:crypto';
import {
  Failure,
  IdempotencyConflictError,
  NotFoundError,
  OutcomeUnknownError,
  restoreFailure,
} from '../../../errors.ts';
import type { Origin, Span } from '../../../tracing/tracer.ts';
import type { LipsyncDependencies } from '../dependencies.ts';
import type { Settlement } from '../dispatch/settle.ts';
import { startSubmission } from '../dispatch/submit.ts';
import { logLife } from '../life-log.ts';
import { isCreateRequestWaiting, isOutcomePending } from '../lifecycle.ts';
import { findByIdempotencyKeys, findLipsync, type Lipsync } from '../store/lipsyncs.ts';
import { findRejection, findRejectionsSince } from '../store/rejections.ts';
import type { CreateDependencies } from './dependencies.ts';
import { type CreateInput, checkExpiry, checkShape } from './input.ts';
import { type ResolvedRequest, resolveRequest } from './resolve.ts';
import type { SharedImports } from './resolve-file.ts';

export type Creation = { lipsync: Lipsync; replayed: boolean };

export type CreateRequest = {
  owner: string;
  canSeeAll: boolean;
  input: CreateInput;
  /** Default: unknown. */
  origin?: Origin;
  receivedAt: Date;
  /**
   * The number of the key's last rejection when this request was first checked; a second check does not change it. A later
   * rejection of a concurrent request with the same idempotency key answers this request too.
   */
  lastRejection?: number;
  /** Imports of the batch that this request belongs to. Each file is fetched once. */
  sharedImports?: SharedImports;
};

/** A request that can be admitted, or the lip-sync of an earlier request with the same idempotency key. */
export type CheckedRequest = {
  request: CreateRequest & { lastRejection: number };
  fingerprint: string;
} & ({ resolved: ResolvedRequest } | { earlier: Lipsync });

/** `answer` may wait for the upstream. `isSent`: a POST of this request is under way. */
export type PendingAnswer = { isSent: boolean; answer: () => Promise<Creation> };

/** Throws failures. */
export async function createLipsync(
  deps: CreateDependencies,
  request: Omit<CreateRequest, 'receivedAt' | 'lastRejection'>,
): Promise<Creation> {
  const checked = await checkRequest(deps, { ...request, receivedAt: deps.now() });
  const { answer } = await sendOrEnqueue(deps, checked);
  return answer();
}

/** All checks that do not need the queue's lock. Several requests can be checked concurrently. Throws failures. */
export async function checkRequest(
  deps: CreateDependencies,
  received: CreateRequest,
): Promise<CheckedRequest> {
  const { owner, input, receivedAt } = received;
  checkShape(deps, input);
  const fingerprint = fingerprintOf(input);
  const key = { owner, idempotencyKey: input.idempotencyKey };
  const { lipsync: earlier, exceeded, ...found } = await deps.findEarlier(key);
  const lastRejection = received.lastRejection ?? found.lastRejection;
  const sharedImports = received.sharedImports ?? new Map();
  const request = { ...received, lastRejection, sharedImports };
  if (earlier !== null) return { request, fingerprint, earlier };
  if (exceeded !== null) {
    const [rejection] = await findRejectionsSince(deps.db, [
      { ...key, fingerprint, lastRejection },
    ]);
    throw rejection == null ? exceeded : restoreFailure(rejection);
  }
  checkExpiry(input, receivedAt);
  const resolved = await resolveRequest(deps, { ...request, fingerprint });
  return { request, fingerprint, resolved };
}

/** Sends the request if a slot is free, else queues it. The order of the calls is the order in the queue. Throws failures. */
export async function sendOrEnqueue(
  deps: CreateDependencies,
  checked: CheckedRequest,
): Promise<PendingAnswer> {
  const { request, fingerprint } = checked;
  if ('earlier' in checked) {
    return { isSent: false, answer: () => replay(deps, { lipsync: checked.earlier, fingerprint }) };
  }
  // The span ends with the POST, or when the lip-sync is queued. All later spans of the lip-sync descend from it.
  const span = deps.tracer.start('lipsync create', { kind: 'producer' });
  const origin = {
    requestId: request.origin?.requestId ?? null,
    traceparent: span.traceparent ?? request.origin?.traceparent ?? null,
  };
  const resolved = { ...checked.resolved, ...origin };
  try {
    const pending = await deps.tracer.within(span, () =>
      admitAndSend(deps, { ...checked, resolved, span }),
    );
    if (!pending.isSent) span.end();
    return pending;
  } catch (thrown) {
    if (thrown instanceof Failure) span.fail(thrown.code);
    span.end();
    throw thrown;
  }
}

type NewRequest = Omit<Extract<CheckedRequest, { resolved: unknown }>, 'resolved'> & {
  resolved: ResolvedRequest & Origin;
  span: Span;
};

async function admitAndSend(
  deps: CreateDependencies,
  { request, fingerprint, resolved, span }: NewRequest,
): Promise<PendingAnswer> {
  const { owner, input, lastRejection } = request;
  const { idempotencyKey, mayWait } = input;
  const admission = await deps.admit({ resolved, lastRejection, mayWait });
  if (admission.kind === 'rejected') throw admission.failure;
  if ('lipsync' in admission) span.set({ 'lipsync.id': admission.lipsync.id });
  if (admission.kind === 'waiting') {
    const { lipsync } = admission;
    logLife(deps.log, lipsync, { event: 'created' });
    return { isSent: false, answer: async () => ({ lipsync, replayed: false }) };
  }
  if (admission.kind === 'duplicate') {
    span.end();
    const [lipsync] = await findByIdempotencyKeys(deps.db, [{ owner, idempotencyKey }]);
    // The earlier lip-sync is missing if it has been rejected meanwhile. Checking the request again finds the rejection.
    if (lipsync === undefined) return sendOrEnqueue(deps, await checkRequest(deps, request));
    return { isSent: false, answer: () => replay(deps, { lipsync, fingerprint }) };
  }
  const { lipsync, slots } = admission;
  logLife(deps.log, lipsync, { event: 'created' });
  const submission = startSubmission(deps, { lipsync, slots, mayWait });
  void submission.then((settlement) => {
    if (settlement.kind === 'rejected') {
      logLife(deps.log, lipsync, { event: 'rejected', code: settlement.failure.code });
      span.fail(settlement.failure.code);
    }
    span.end();
  });
  return { isSent: true, answer: async () => toCreation(deps, lipsync, await submission) };
}

async function toCreation(
  deps: LipsyncDependencies,
  lipsync: Lipsync,
  settlement: Settlement,
): Promise<Creation> {
  if (settlement.kind === 'rejected') throw settlement.failure;
  if (settlement.kind === 'unknown') throw new OutcomeUnknownError(lipsync.id);
  return { lipsync: (await findLipsync(deps.db, lipsync.id)) ?? lipsync, replayed: false };
}

/** The answer of the first request with this idempotency key. Waits if that request is not answered yet. */
async function replay(
  deps: CreateDependencies,
  { lipsync, fingerprint }: { lipsync: Lipsync; fingerprint: string },
): Promise<Creation> {
  if (lipsync.fingerprint !== fingerprint) throw new IdempotencyConflictError();
  let current: Lipsync | null = lipsync;
  while (current !== null && isCreateRequestWaiting(current) && isOutcomePending(current)) {
    await deps.watcher.nextChange(lipsync.id);
    current = await findLipsync(deps.db, lipsync.id);
  }
  if (current === null) throw await readRejection(deps, lipsync.id);
  if (isCreateRequestWaiting(current)) throw new OutcomeUnknownError(current.id);
  return { lipsync: current, replayed: true };
}

async function readRejection(deps: LipsyncDependencies, id: string): Promise<Failure> {
  const rejection = await findRejection(deps.db, id);
  return rejection === null ? new NotFoundError('The lip-sync') : restoreFailure(rejection);
}

function fingerprintOf({ idempotencyKey: _, ...input }: CreateInput): string {
  return createHash('sha256').update(JSON.stringify(input)).digest('base64url');
}
