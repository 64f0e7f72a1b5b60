import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace';
import type { SamplerName, TracingSettings } from './settings.ts';

const roots: Record<string, (ratio: number) => Sampler> = {
  always_on: () => new AlwaysOnSampler(),
  always_off: () => new AlwaysOffSampler(),
  traceidratio: (ratio) => new TraceIdRatioBasedSampler(ratio),
};

/** As OpenTelemetry's variables name them. Those with `parentbased_` follow the flag of a caller's trace. */
export function createSampler({
  sampler: name,
  samplerRatio,
}: Pick<TracingSettings, 'sampler' | 'samplerRatio'>): Sampler {
  const root = roots[rootOf(name)]?.(samplerRatio) ?? new AlwaysOnSampler();
  return name.startsWith('parentbased_') ? new ParentBasedSampler({ root }) : root;
}

function rootOf(name: SamplerName): string {
  return name.replace('parentbased_', '');
}
