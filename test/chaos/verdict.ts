import type { Seen } from './client.ts';
import { terminal } from './points.ts';
import type { UpstreamJob } from './upstream.ts';

/** Everything known about one lip-sync after the run. */
export type Findings = {
  key: string;
  text: string;
  /** Every id that the idempotency key was answered with. */
  ids: string[];
  /** Whether its client received a terminal event. */
  isDone: boolean;
  /** Wrong answers to its client. */
  faults: string[];
  /** The stored row; null when the lip-sync does not exist. */
  lipsync: { status: string; failure: string | null } | null;
  /** Its log, from `Lipsync.events`. */
  events: { sequence: number; status: string }[];
  /** The events of a stream resumed after the first event. */
  resumed: Seen[];
  /** The number of upstream POSTs with its id. */
  posts: number;
  jobs: UpstreamJob[];
};

/** The broken promises as texts; empty when all were kept. */
export function judge(found: Findings, upstream: { listsReplyRef: boolean }): string[] {
  return [
    ...found.faults,
    ...judgeIdentity(found),
    ...judgeLog(found),
    ...judgeBill(found),
    ...judgeEnd(found, upstream),
  ];
}

function judgeIdentity({ ids, isDone, lipsync }: Findings): string[] {
  const [first, second] = ids;
  if (first === undefined) return ['lost: its key was never answered'];
  if (lipsync === null) return [`lost: ${first} was answered and is not known`];
  return [
    ...(second === undefined ? [] : [`doubled: one key was answered with ${ids.join(' and ')}`]),
    ...(isDone ? [] : [`stuck: it is ${lipsync.status}`]),
  ];
}

function judgeLog({ events, resumed, lipsync }: Findings): string[] {
  if (lipsync === null) return [];
  const sequences = events.map(({ sequence }) => sequence);
  const resumedSequences = resumed.map(({ sequence }) => sequence);
  const isSame = sequences.slice(1).join() === resumedSequences.join();
  const ends = [...events.keys()].filter((at) => terminal.includes(events[at]?.status ?? ''));
  const broken = [
    ...(sequences.every((sequence, at) => sequence === at + 1)
      ? []
      : [`gap: its log is ${sequences.join()}`]),
    ...(isSame ? [] : [`gap: a stream after its first event had ${resumedSequences.join()}`]),
    ...(ends.at(-1) === events.length - 1 ? [] : ['its last event is not terminal']),
    ...(events.at(-1)?.status === lipsync.status ? [] : ['its last event is not its status']),
  ];
  // An unknown outcome may be followed by one more terminal event.
  const wasUnknown = resumed.find(({ status }) => terminal.includes(status))?.failure;
  const most = wasUnknown === 'OUTCOME_UNKNOWN' ? 2 : 1;
  return ends.length <= most ? broken : [...broken, `it ended ${ends.length} times`];
}

function judgeBill({ posts, jobs }: Findings): string[] {
  return [
    ...(posts <= 1 ? [] : [`doubled: ${posts} POSTs`]),
    ...(jobs.length <= 1 ? [] : [`doubled: ${jobs.length} jobs`]),
  ];
}

/** A lip-sync ends as its job did. Without a job, or without a way to find it, its outcome stays unknown. */
function judgeEnd(found: Findings, { listsReplyRef }: { listsReplyRef: boolean }): string[] {
  const { lipsync, jobs } = found;
  if (lipsync === null) return [];
  const [job] = jobs;
  if (job?.status === lipsync.status && lipsync.failure !== 'OUTCOME_UNKNOWN') return [];
  if (isUnfound(found) && !(job !== undefined && listsReplyRef)) return [];
  return [
    `it ended ${lipsync.status} (${lipsync.failure}), and its job ${job?.status ?? 'was not made'}`,
  ];
}

export function isUnfound({ lipsync }: Findings): boolean {
  return lipsync?.status === 'FAILED' && lipsync.failure === 'OUTCOME_UNKNOWN';
}
