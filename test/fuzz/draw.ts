import fc from 'fast-check';

/** Draws values from one seed, for the generators. */
export type Draw = {
  /** A uniform integer from 0 to `max`. */
  nat(max: number): number;
  /** True with this probability in percent. */
  chance(percent: number): boolean;
  pick<T>(from: readonly T[]): T;
  /** A value of a fast-check arbitrary. */
  any<T>(arbitrary: fc.Arbitrary<T>): T;
};

/** @param build is called once for each value, and draws the same with the same seed */
export function drawing<T>(build: (draw: Draw) => T): fc.Arbitrary<T> {
  return new Drawing(build);
}

/** Not `fc.gen`, which remembers every draw: a document takes hundreds. */
class Drawing<T> extends fc.Arbitrary<T> {
  readonly #build: (draw: Draw) => T;

  constructor(build: (draw: Draw) => T) {
    super();
    this.#build = build;
  }

  generate(random: fc.Random): fc.Value<T> {
    const nat = (max: number) => random.nextInt(0, max);
    const value = this.#build({
      nat,
      chance: (percent) => nat(99) < percent,
      pick: <V>(from: readonly V[]) => from[nat(from.length - 1)] as V,
      any: (arbitrary) => arbitrary.generate(random, undefined).value,
    });
    return new fc.Value(value, undefined);
  }

  /** No shrinking: a finding is printed as it is. */
  canShrinkWithoutContext(_value: unknown): _value is T {
    return false;
  }

  shrink(): fc.Stream<fc.Value<T>> {
    return fc.Stream.nil();
  }
}
