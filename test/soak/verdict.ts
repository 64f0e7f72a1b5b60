import type { SoakOutcome } from './run.ts';

/** What a heap may grow: caches fill, and the least of some samples still has garbage. */
const growth = { factor: 1.3, bytes: 25e6 };

/** Connections that the clients of the run keep open, one for each of the 24 clients of the short form. */
const spareHandles = 24;

/** One poll for each of three accounts, and the schedules of pg-boss and of the retention. */
const maxBackgroundJobs = 12;

/** The broken promises. Empty in a good run. */
export function problemsOf(outcome: SoakOutcome): string[] {
  const { lost, doubled, broken, webhooks, first, last, rows } = outcome;
  const missing = webhooks.expected - webhooks.delivered;
  const leftRows = Object.entries(rows).filter(
    ([name, count]) => count > (name === 'background jobs' ? maxBackgroundJobs : 0),
  );
  return [
    ...lost.map((id) => `lost: ${id}`),
    ...doubled.map((id) => `doubled: ${id}`),
    ...broken,
    ...(missing === 0 ? [] : [`${missing} webhooks were not delivered`]),
    ...(last.heapBytes <= first.heapBytes * growth.factor + growth.bytes
      ? []
      : [`memory grew from ${megabytes(first.heapBytes)} to ${megabytes(last.heapBytes)}`]),
    ...(last.handles <= first.handles + spareHandles
      ? []
      : [`handles grew from ${first.handles} to ${last.handles}`]),
    ...leftRows.map(([name, count]) => `${count} ${name} are left`),
  ];
}

export function formatOutcome(outcome: SoakOutcome): string {
  const { ended, refused, lost, doubled, webhooks, first, last, rows } = outcome;
  const byFault = Map.groupBy(ended, ({ plan }) => plan.fault || 'none');
  const ends = Map.groupBy(ended, ({ ends: [end] }) => end ?? 'refused');
  const count = (groups: Map<string, unknown[]>) =>
    [...groups]
      .map(([name, all]) => `${name} ${all.length}`)
      .toSorted()
      .join(', ');
  const resumes = ended.reduce((sum, each) => sum + each.resumes, 0);
  return [
    ['lip-syncs', `${ended.length - refused}, refused ${refused}`],
    ['ends', count(ends)],
    ['faults', count(byFault)],
    ['resumed streams', String(resumes)],
    ['lost', String(lost.length)],
    ['doubled', String(doubled.length)],
    [
      'webhooks',
      `${webhooks.delivered} of ${webhooks.expected}, ${webhooks.failedOnce} after a failed attempt`,
    ],
    ['heap', `${megabytes(first.heapBytes)} first, ${megabytes(last.heapBytes)} last`],
    ['resident', `${megabytes(first.residentBytes)} first, ${megabytes(last.residentBytes)} last`],
    ['handles', `${first.handles} first, ${last.handles} last`],
    [
      'rows left',
      Object.entries(rows)
        .map(([name, left]) => `${name} ${left}`)
        .join(', '),
    ],
  ]
    .map(([name, text]) => `${(name ?? '').padEnd(16)} ${text}`)
    .join('\n');
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}
