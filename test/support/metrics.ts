import { createRecorder } from '../../src/metrics/recorder.ts';
import { openRegistry } from '../../src/server/http/metric-registry.ts';

/** A line of `/metrics`. */
export type Sample = { name: string; labels: Record<string, string>; value: number; text: string };

const line = /^([a-zA-Z_:]\w*)(?:\{(.*)\})? (\S+)$/gm;
const label = /(\w+)="((?:[^"\\]|\\.)*)"/g;

export async function scrape(url: string): Promise<Sample[]> {
  const response = await fetch(`${url}/metrics`);
  const body = await response.text();
  if (response.status !== 200) throw new Error(`/metrics answered ${response.status}.`);
  return [...body.matchAll(line)].map(([, name = '', labels = '', value]) => ({
    name,
    labels: Object.fromEntries([...labels.matchAll(label)].map(([, key, text]) => [key, text])),
    value: Number(value),
    text: labels === '' ? name : `${name}{${labels}}`,
  }));
}

/** The sum of the samples with this name and these labels; null if there are none. */
export function sumOf(
  samples: readonly Sample[],
  name: string,
  labels: Record<string, string> = {},
): number | null {
  const found = samples.filter(
    (each) =>
      each.name === name &&
      Object.entries(labels).every(([key, value]) => each.labels[key] === value),
  );
  return found.length === 0 ? null : found.reduce((sum, { value }) => sum + value, 0);
}

/** Every metric of the registry. */
export async function readDefinitions() {
  const sources = {
    readWork: () => Promise.reject(new Error('No value is read.')),
    countStreams: () => ({ sse: 0, multipart: 0, websocket: 0, callback: 0, mcp: 0 }),
    countUnreadBytes: () => 0,
    countConnections: () => null,
  };
  const { registry } = openRegistry(sources, createRecorder());
  const metrics = registry.getMetricsAsArray() as unknown as {
    name: string;
    type: string;
    labelNames: string[];
  }[];
  return metrics.map(({ name, type, labelNames }) => ({ name, type, labels: labelNames }));
}
