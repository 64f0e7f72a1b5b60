/** Numbers that are the same for the same seed (mulberry32). */
export function createRandom(seed: number) {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const normal = (): number =>
    Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  return {
    next,
    /** How many arrivals fall into an interval in which `mean` are expected. Means above 30 use the normal approximation. */
    poisson(mean: number): number {
      if (mean > 30) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal()));
      let count = 0;
      for (let left = Math.exp(-mean), product = next(); product > left; product *= next())
        count += 1;
      return count;
    },
    logNormal: (median: number, sigma: number): number => median * Math.exp(sigma * normal()),
  };
}

export type Random = ReturnType<typeof createRandom>;

/** Chooses an index with a probability proportional to 1 / (index + 1), as traffic is spread over customers. */
export function createZipf(size: number): (random: Random) => number {
  const sums: number[] = [];
  let sum = 0;
  for (let index = 0; index < size; index += 1) {
    sum += 1 / (index + 1);
    sums.push(sum);
  }
  return ({ next }) => {
    const wanted = next() * sum;
    let low = 0;
    for (let high = size - 1; low < high; ) {
      const middle = (low + high) >> 1;
      if ((sums[middle] as number) < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}
