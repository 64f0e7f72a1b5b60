import fc from 'fast-check';

/** Draws values one after another from one seed: what a generator of documents is written with. */
export type Draw = {
  /** A whole number from 0 to `max`, each as likely as the others. */
  nat(max: number): number;
  /** True that often, of a hundred. */
  chance(percent: number): boolean;
  pick<T>(from: readonly T[]): T;
  /** Whatever an arbitrary of fast-check makes. */
  any<T>(arbitrary: fc.Arbitrary<T>): T;
};

/** @param build is called once for each value; with the same seed it draws the same */
export function drawing<T>(build: (draw: Draw) => T): fc.Arbitrary<T> {
  return new Drawing(build);
}

/** An arbitrary of its own, since `fc.gen` remembers every draw, and there are hundreds for each document. */
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

  /** Nothing is shrunk: a finding is printed as it is. */
  canShrinkWithoutContext(_value: unknown): _value is T {
    return false;
  }

  shrink(): fc.Stream<fc.Value<T>> {
    return fc.Stream.nil();
  }
}
