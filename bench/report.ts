/**
 * One figure of this product beside the same figure of a peer, measured in alternating rounds of one run. A busy machine
 * slows both, so only the ratio of the medians has a meaning.
 */
export type Comparison = {
  /** What is measured, such as `voices, executed`. */
  name: string;
  /** The unit of all values, such as `req/s` or `ms`. */
  unit: string;
  /** One value for each round. */
  ours: readonly number[];
  peer: { name: string; values: readonly number[] };
  /** The promised ratio of our median to the peer's. Absent: the figure is only shown. */
  promise?: { bound: 'at least' | 'at most'; ratio: number };
};

export type BenchOptions = {
  /** Fewer and shorter rounds, for the gate. */
  isShort: boolean;
};

/** Every measurement has a file `bench/<name>.ts` that exports this function as `run`. */
export type Measurement = (options: BenchOptions) => Promise<Comparison[]>;

/** A third below the promise: a figure that is off by more fails the gate, also on a busy machine. */
const tolerance = 1.5;

export function ratioOf({ ours, peer }: Comparison): number {
  return median(ours) / median(peer.values);
}

/** Whether the ratio keeps its promise, or misses it by no more than a third. A figure without a promise is kept. */
export function isNear(comparison: Comparison): boolean {
  const { promise } = comparison;
  if (promise === undefined) return true;
  const ratio = ratioOf(comparison);
  return promise.bound === 'at least'
    ? ratio >= promise.ratio / tolerance
    : ratio <= promise.ratio * tolerance;
}

export function formatComparison(comparison: Comparison): string {
  const { name, unit, ours, peer, promise } = comparison;
  const asked = promise === undefined ? '' : `, promised ${promise.bound} ${promise.ratio}`;
  return `${name}: ${spread(ours)} ${unit}; ${peer.name} ${spread(peer.values)} ${unit}; ratio ${ratioOf(comparison).toFixed(2)}${asked}`;
}

/** Minimum, median and maximum. */
function spread(values: readonly number[]): string {
  return [Math.min(...values), median(values), Math.max(...values)].map(toText).join(' … ');
}

function toText(value: number): string {
  return Math.abs(value) < 10 ? value.toFixed(2) : Math.round(value).toString();
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}
