export type Sample = { heapBytes: number; residentBytes: number; handles: number };

/** Of the process, from `/metrics`. */
export async function readSample(url: string): Promise<Sample> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const read = (name: string) => {
    const value = new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1];
    if (value === undefined) throw new Error(`/metrics has no ${name}.`);
    return Number(value);
  };
  return {
    heapBytes: read('nodejs_heap_size_used_bytes') + read('nodejs_external_memory_bytes'),
    residentBytes: read('process_resident_memory_bytes'),
    handles: read('nodejs_active_resources_total'),
  };
}

/** The least of several samples: garbage that was not collected yet does not count. */
export function least(samples: readonly Sample[]): Sample {
  const min = (field: keyof Sample) => Math.min(...samples.map((sample) => sample[field]));
  return {
    heapBytes: min('heapBytes'),
    residentBytes: min('residentBytes'),
    handles: min('handles'),
  };
}
