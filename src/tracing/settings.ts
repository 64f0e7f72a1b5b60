/** How spans are sampled and sent. OpenTelemetry's exporter and resource read their other variables themselves. */
export type TracingSettings = {
  /** Where spans are posted, with the path. */
  readonly url: string;
  readonly protocol: 'http/protobuf' | 'http/json';
  readonly sampler: SamplerName;
  /** The share of new traces that the `traceidratio` samplers record, 0 to 1. */
  readonly samplerRatio: number;
  readonly batch: {
    readonly maxQueueSize: number;
    readonly maxExportBatchSize: number;
    readonly scheduledDelayMillis: number;
    readonly exportTimeoutMillis: number;
  };
};

export type SamplerName =
  | 'always_on'
  | 'always_off'
  | 'traceidratio'
  | 'parentbased_always_on'
  | 'parentbased_always_off'
  | 'parentbased_traceidratio';
