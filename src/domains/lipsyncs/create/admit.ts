import type { Sql } from '../../../database/connect.ts';
import { GroupedWork } from '../../../database/grouped.ts';
import type { Failure } from '../../../errors.ts';
import { notifyQueue } from '../../accounts/service.ts';
import type { LipsyncDependencies } from '../dependencies.ts';
import type { AccountSlots } from '../dispatch/slots.ts';
import { insertLipsyncs } from '../store/insert.ts';
import type { Lipsync } from '../store/lipsyncs.ts';
import { queueLock } from '../store/queue.ts';
import { trace } from '../trace.ts';
import { type AdmissionRequest, type AdmittedRow, type Decision, decideAll } from './decide.ts';

export type Admission =
  | { kind: 'claimed'; lipsync: Lipsync; slots: AccountSlots }
  | { kind: 'waiting'; lipsync: Lipsync }
  /** A request with the same idempotency key was admitted before. */
  | { kind: 'duplicate' }
  | { kind: 'refused'; failure: Failure };

/** Called with the lip-syncs that were committed as waiting. */
export type OnQueued = (lipsyncs: readonly Lipsync[]) => void;

export type Admit = (request: AdmissionRequest) => Promise<Admission>;

/**
 * Admits requests in the order of the calls: each is sent now, waits or is rejected, and its row is inserted. The decisions
 * are made under the queue's lock, which keeps limits exact for any number of concurrent requests and instances. All
 * requests that arrive during one transaction share the next, so the lock is taken once for all of them.
 */
export function createAdmission(deps: LipsyncDependencies, onQueued: OnQueued): Admit {
  const groups = new GroupedWork(async (requests: readonly AdmissionRequest[]) => {
    const admissions = await admitGroup(deps, requests);
    for (const admission of admissions) {
      if ('lipsync' in admission) trace('row-written', { lipsyncId: admission.lipsync.id });
    }
    const queued = admissions.flatMap((each) => (each.kind === 'waiting' ? [each.lipsync] : []));
    if (queued.length > 0) onQueued(queued);
    return admissions;
  });
  return (request) => groups.run(request);
}

async function admitGroup(
  deps: LipsyncDependencies,
  requests: readonly AdmissionRequest[],
): Promise<Admission[]> {
  const admit = async (tx: Sql): Promise<Admission[]> => {
    const decisions = await decideAll(deps, tx, requests);
    const rows = decisions.flatMap((decision) => ('row' in decision ? [decision.row] : []));
    for (const { id } of rows) trace('row-writing', { lipsyncId: id });
    const inserted = await insertRows(deps, tx, rows);
    // This instance sends nothing any more, so another one must find the slot that may be free.
    if (rows.length > 0 && deps.stopping.aborted) await notifyQueue(tx);
    return decisions.map((decision) => toAdmission(decision, inserted));
  };
  return deps.db.transaction(admit, { lock: queueLock });
}

async function insertRows(
  deps: LipsyncDependencies,
  tx: Sql,
  rows: readonly AdmittedRow[],
): Promise<Lipsync[]> {
  const used = rows.flatMap(({ owner, sourceVideo }) =>
    sourceVideo === null ? [] : [{ owner, video: sourceVideo }],
  );
  const imports = rows.flatMap((row) => row.imports);
  // The lip-syncs of a batch can share one.
  await deps.uploads.beginImports(tx, [
    ...new Map(imports.map((each) => [each.id, each])).values(),
  ]);
  // Statements are executed in the order of the calls, so the videos are there when the rows refer to them.
  const [, inserted] = await Promise.all([
    used.length > 0 ? deps.videos.keep(tx, used) : null,
    insertLipsyncs(
      tx,
      rows.map(({ sourceVideo: _, imports: __, ...row }) => row),
    ),
  ]);
  return inserted;
}

function toAdmission(decision: Decision, inserted: readonly Lipsync[]): Admission {
  if (!('row' in decision)) return decision;
  const lipsync = inserted.find(({ id }) => id === decision.row.id);
  if (lipsync === undefined) throw new Error('A lip-sync was not inserted.');
  return decision.kind === 'claimed'
    ? { kind: 'claimed', lipsync, slots: decision.slots }
    : { kind: 'waiting', lipsync };
}
