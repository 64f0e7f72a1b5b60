import type { SoakOutcome } from './run.ts';
import type { Ended } from './traffic.ts';

/** How much the heap may grow: caches fill, and the least of some samples still has garbage. */
const growth = { factor: 1.3, bytes: 25e6 };

/** Connections that the clients of the run keep open, one for each of the 24 clients of the short form. */
const spareHandles = 24;

/** One poll for each of four accounts, and the schedules of pg-boss and of the retention. */
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
  const { ended, resumes, lost, doubled, webhooks, first, last, rows } = outcome;
  const refused = ended.filter(({ id }) => id === null).length;
  const count = (nameOf: (each: Ended) => string) =>
    [...Map.groupBy(ended, nameOf)]
      .map(([name, all]) => `${name} ${all.length}`)
      .toSorted()
      .join(', ');
  return [
    ['lip-syncs', `${ended.length - refused}, refused ${refused}`],
    ['ends', count(({ end }) => end?.status ?? 'refused')],
    ['unknown', String(ended.filter(({ end }) => end?.code === 'OUTCOME_UNKNOWN').length)],
    ['faults', count(({ plan }) => plan.fault || 'none')],
    ['speech', count(({ plan }) => plan.speech)],
    ['entries', count(({ plan }) => plan.entry)],
    ['streams', count(({ plan }) => (plan.entry === 'agent' ? 'agent' : plan.transport))],
    ['resumed streams', String(resumes)],
    ['deleted', String(ended.filter(({ isDeleted }) => isDeleted).length)],
    ['lost', String(lost.length)],
    ['doubled', String(doubled.length)],
    [
      'webhooks',
      `${webhooks.delivered} of ${webhooks.expected}, ${webhooks.failedAttempts} attempts failed`,
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
