import { createHash } from 'node:crypto';
import { afterCommit } from '../../database/transaction.ts';
import type { FailureCode } from '../../errors.ts';
import { type Log, lineShare } from '../../log.ts';
import { originFields } from '../../tracing/tracer.ts';
import type { EventSource, LipsyncStatus } from './lifecycle.ts';
import type { Lipsync } from './store/lipsyncs.ts';

type Step = {
  event: 'created' | 'rejected' | 'outcome unknown' | Lowercase<LipsyncStatus>;
  source?: EventSource;
  code?: FailureCode | undefined;
};

type LifeColumns = Pick<
  Lipsync,
  'id' | 'owner' | 'status' | 'accountId' | 'requestId' | 'traceparent'
>;

/**
 * Failures that concern the operator: of an account, of the service, or an unknown outcome. The others concern the
 * caller.
 */
const operatorsCodes: ReadonlySet<FailureCode> = new Set([
  'UPSTREAM_UNAUTHORIZED',
  'SUBSCRIPTION_EXPIRED',
  'INSUFFICIENT_CREDITS',
  'ACCOUNT_PENDING',
  'UPSTREAM_UNAVAILABLE',
  'OUTCOME_UNKNOWN',
]);

/**
 * Logs one step of a lip-sync, with its id, owner, request and trace. The line contains nothing that the caller wrote. Inside
 * a transaction it is written at the commit.
 */
export function logLife(log: Log, lipsync: LifeColumns, { event, source, code }: Step): void {
  const { id, owner, status, accountId } = lipsync;
  const fields = {
    ...{ lipsyncId: id, caller: callerName(owner), status },
    ...originFields(lipsync),
    ...(accountId === null ? {} : { accountId }),
    ...(source === undefined ? {} : { source }),
    ...(code === undefined ? {} : { code }),
    [lineShare]: owner,
  };
  const isForOperator =
    event === 'outcome unknown' || (code !== undefined && operatorsCodes.has(code));
  afterCommit(() => log[isForOperator ? 'warn' : 'info'](fields, `lip-sync ${event}`));
}

/** A `sub` that consists of these is an id, not an e-mail address or the name of a person. */
const opaqueSubject = /^[\w.|-]{1,64}$/;

/**
 * An owner as the log shows it: a key by its name, and a JWT by its `sub`. A `sub` that can be an e-mail address is
 * replaced by the start of the SHA-256 of the owner, so that the lines of one caller can still be found.
 */
export function callerName(owner: string): string {
  if (!owner.startsWith('jwt:')) return owner;
  const subject = owner.slice(owner.lastIndexOf(':') + 1);
  const hash = () => createHash('sha256').update(owner).digest('hex').slice(0, 12);
  return opaqueSubject.test(subject) ? `jwt:${subject}` : `jwt:#${hash()}`;
}
