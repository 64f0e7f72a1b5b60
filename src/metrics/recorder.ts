import { counters, type Definition, durations } from './definitions.ts';
import type { Meter } from './meter.ts';

type Labels = Readonly<Record<string, string | number>>;

/** What happened with one combination of labels, since the process began. */
export class CounterSeries {
  value = 0;

  add(): void {
    this.value += 1;
  }
}

export class DurationSeries {
  sum = 0;
  count = 0;
  readonly #buckets: readonly number[];
  /** By bucket: the durations that are in it and in none before it. */
  readonly #counts: Float64Array;

  constructor({ buckets = [] }: Definition) {
    this.#buckets = buckets;
    this.#counts = new Float64Array(buckets.length);
  }

  add(seconds: number): void {
    this.sum += seconds;
    this.count += 1;
    const buckets = this.#buckets;
    let at = 0;
    while (at < buckets.length && seconds > (buckets[at] as number)) at += 1;
    if (at < buckets.length) this.#counts[at] = (this.#counts[at] as number) + 1;
  }

  /** Cumulative, as Prometheus counts: each bucket includes those before it. */
  readBuckets(): { le: number | '+Inf'; count: number }[] {
    let sum = 0;
    const bounded = this.#buckets.map((le, at) => {
      sum += this.#counts[at] ?? 0;
      return { le, count: sum };
    });
    return [...bounded, { le: '+Inf', count: this.count }];
  }
}

/** The series of one metric. */
export class SeriesOf<Series> {
  readonly name: string;
  readonly definition: Definition;
  readonly #create: () => Series;
  readonly #byLabels = new Map<string, { labels: Labels; series: Series }>();

  constructor(name: string, definition: Definition, create: () => Series) {
    this.name = name;
    this.definition = definition;
    this.#create = create;
    // A metric without labels has a value from the start.
    if (definition.labels.length === 0) this.find({});
  }

  find(labels: Labels): Series {
    let key = '';
    for (const label of this.definition.labels) key += `${labels[label]}\n`;
    const known = this.#byLabels.get(key);
    if (known !== undefined) return known.series;
    const series = this.#create();
    this.#byLabels.set(key, { labels, series });
    return series;
  }

  list(): { labels: Labels; series: Series }[] {
    return [...this.#byLabels.values()];
  }
}

export type Recorder = ReturnType<typeof createRecorder>;

/** The measurements of this process. A collection of `/metrics` reads them. */
export function createRecorder() {
  const counterOf = mapValues(
    counters,
    (definition, name) => new SeriesOf(name, definition, () => new CounterSeries()),
  );
  const durationOf = mapValues(
    durations,
    (definition, name) => new SeriesOf(name, definition, () => new DurationSeries(definition)),
  );
  const meter: Meter = {
    counter: (name, labels) => counterOf[name].find(labels),
    timer: (name, labels) => durationOf[name].find(labels),
    count: (name, labels) => counterOf[name].find(labels).add(),
    time: (name, labels, seconds) => durationOf[name].find(labels).add(seconds),
  };
  return { meter, counters: Object.values(counterOf), durations: Object.values(durationOf) };
}

function mapValues<Name extends string, Value, Mapped>(
  values: Record<Name, Value>,
  map: (value: Value, name: Name) => Mapped,
): Record<Name, Mapped> {
  const entries = Object.entries(values) as [Name, Value][];
  return Object.fromEntries(entries.map(([name, value]) => [name, map(value, name)])) as Record<
    Name,
    Mapped
  >;
}
