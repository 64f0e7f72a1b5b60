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
  /**
   * The promised ratio of our median to the peer's. Absent: the figure is only shown. `reached`: the ratio that was measured,
   * where the promise is not kept yet; the gate then holds that.
   */
  promise?: { bound: 'at least' | 'at most'; ratio: number; reached?: number };
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

/**
 * Whether the ratio is that of the promise, or the one that was reached instead, or misses it by no more than a third. True
 * for a figure without a promise.
 */
export function isNear(comparison: Comparison): boolean {
  const { promise } = comparison;
  if (promise === undefined) return true;
  const { bound, ratio: promised, reached = promised } = promise;
  const ratio = ratioOf(comparison);
  return bound === 'at least' ? ratio >= reached / tolerance : ratio <= reached * tolerance;
}

export function formatComparison(comparison: Comparison): string {
  const { name, unit, ours, peer, promise } = comparison;
  const asked = promise === undefined ? '' : `, ${describePromise(promise)}`;
  return `${name}: ${spread(ours)} ${unit}; ${peer.name} ${spread(peer.values)} ${unit}; ratio ${ratioOf(comparison).toFixed(2)}${asked}`;
}

function describePromise({ bound, ratio, reached }: NonNullable<Comparison['promise']>): string {
  const before = reached === undefined ? '' : `; not kept yet, reached ${reached}`;
  return `promised ${bound} ${ratio}${before}`;
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
