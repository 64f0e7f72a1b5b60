import type { Sql, Transaction } from '../../../database/connect.ts';
import { GroupedWork } from '../../../database/grouped.ts';
import type { Failure } from '../../../errors.ts';
import { notifyQueue } from '../../accounts/service.ts';
import type { LipsyncDependencies } from '../dependencies.ts';
import type { AccountSlots } from '../dispatch/slots.ts';
import { insertLipsyncs } from '../store/insert.ts';
import type { Lipsync } from '../store/lipsyncs.ts';
import { queueLock } from '../store/queue.ts';
import { trace } from '../trace.ts';
import type { AdmissionRequest, AdmittedRow } from './admission-state.ts';
import { type Decision, decideAll } from './decide.ts';

export type Admission =
  | { kind: 'claimed'; lipsync: Lipsync; slots: AccountSlots }
  | { kind: 'waiting'; lipsync: Lipsync }
  /** A request with the same idempotency key was admitted before. */
  | { kind: 'duplicate' }
  | { kind: 'rejected'; failure: Failure };

/** Called with the lip-syncs that were committed as waiting. */
export type OnQueued = (lipsyncs: readonly Lipsync[]) => void;

export type Admit = (request: AdmissionRequest) => Promise<Admission>;

/**
 * Admits requests in the order of the calls: each is sent now, waits or is rejected, and its row is inserted. The decisions
 * are made under the queue's lock, which keeps limits exact for any number of concurrent requests and instances. All
 * requests that arrive during one transaction share the next, so the lock is taken once for all of them.
 */
export function createAdmission(deps: LipsyncDependencies, onQueued: OnQueued): Admit {
  const groups = new GroupedWork(async (requests: readonly AdmissionRequest[], beginNext) => {
    const admissions = await admitGroup(deps, requests, beginNext);
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
  beginNext: () => void,
): Promise<Admission[]> {
  const admit = async (tx: Transaction): Promise<Admission[]> => {
    const decisions = await decideAll(deps, tx, requests);
    const rows = decisions.flatMap((decision) => ('row' in decision ? [decision.row] : []));
    for (const { id } of rows) trace('row-writing', { lipsyncId: id });
    // Without duplicates, because the lip-syncs of a batch can share an import. Most groups have none, and send no
    // statement.
    const imports = rows.flatMap(({ imports: files, requestId = null, traceparent = null }) =>
      files.map((file) => [file.id, { ...file, requestId, traceparent }] as const),
    );
    await deps.uploads.beginImports(tx, [...new Map(imports).values()]);
    const written = tx.finish(() => insertRows(deps, tx, rows));
    // PostgreSQL lets the next group's transaction wait for the lock, so that it continues without this process. On PGlite a
    // group that begins later is larger.
    if (deps.db.kind === 'postgres') beginNext();
    const inserted = await written;
    return decisions.map((decision) => toAdmission(decision, inserted));
  };
  return deps.db.transaction(admit, { lock: queueLock });
}

/** Statements are executed in the order of the calls, so the videos are there when the rows refer to them. */
async function insertRows(
  deps: LipsyncDependencies,
  tx: Sql,
  rows: readonly AdmittedRow[],
): Promise<Lipsync[]> {
  const used = rows.flatMap(({ owner, sourceVideo }) =>
    sourceVideo === null ? [] : [{ owner, video: sourceVideo }],
  );
  const [, inserted] = await Promise.all([
    used.length > 0 ? deps.videos.keep(tx, used) : null,
    insertLipsyncs(
      tx,
      rows.map(({ sourceVideo: _, imports: __, ...row }) => row),
    ),
    // This instance sends nothing any more, so another one must find the slot that may be free.
    rows.length > 0 && deps.stopping.aborted ? notifyQueue(tx) : null,
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
