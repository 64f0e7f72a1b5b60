import { z } from 'zod';
import { baseUrl, boolean, oneOf, wholeNumber } from './shapes.ts';

const isShare = (text: string) => /^(0(\.\d+)?|1(\.0+)?)$/.test(text);

/** OpenTelemetry's variables that this server reads. Its exporter and resource read further ones. */
export const tracingVariables = {
  /** The http(s) URL of an OTLP collector, to which `/v1/traces` is appended. Default: unset, nothing is traced. */
  OTEL_EXPORTER_OTLP_ENDPOINT: baseUrl.nullable().default(null),
  /** The same, with the whole path. Default: unset, OTEL_EXPORTER_OTLP_ENDPOINT. */
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: baseUrl.nullable().default(null),
  /** `true` traces nothing, whatever the other variables say. Default: false. */
  OTEL_SDK_DISABLED: boolean.default(false),
  /** How spans are sent: http/protobuf or http/json. Default: http/protobuf. */
  OTEL_EXPORTER_OTLP_PROTOCOL: oneOf('http/protobuf', 'http/json').default('http/protobuf'),
  /** Which traces are recorded: always_on, always_off, traceidratio, or one of these after `parentbased_`, which follows the caller's flag. Default: parentbased_always_on. */
  OTEL_TRACES_SAMPLER: oneOf(
    'always_on',
    'always_off',
    'traceidratio',
    'parentbased_always_on',
    'parentbased_always_off',
    'parentbased_traceidratio',
  ).default('parentbased_always_on'),
  /** The share of traces that `traceidratio` records, 0 to 1. Default: 1. */
  OTEL_TRACES_SAMPLER_ARG: z
    .string()
    .refine(isShare, 'must be a number from 0 to 1')
    .transform(Number)
    .default(1),
  /** Milliseconds after which ended spans are sent. Default: 5000. */
  OTEL_BSP_SCHEDULE_DELAY: wholeNumber().default(5_000),
  /** Milliseconds after which sending spans fails. Default: 30000. */
  OTEL_BSP_EXPORT_TIMEOUT: wholeNumber().default(30_000),
  /** Spans that wait to be sent; further ones are dropped. Default: 2048. */
  OTEL_BSP_MAX_QUEUE_SIZE: wholeNumber().default(2_048),
  /** Spans that are sent together. Default: 512. */
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE: wholeNumber().default(512),
};

const shape = z.object(tracingVariables);

/** Null: nothing is traced. */
export function readTracing(values: z.output<typeof shape>) {
  const endpoint = values.OTEL_EXPORTER_OTLP_ENDPOINT;
  const url =
    values.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ??
    (endpoint === null ? null : `${endpoint}/v1/traces`);
  if (url === null || values.OTEL_SDK_DISABLED) return null;
  return {
    url,
    protocol: values.OTEL_EXPORTER_OTLP_PROTOCOL,
    sampler: values.OTEL_TRACES_SAMPLER,
    samplerRatio: values.OTEL_TRACES_SAMPLER_ARG,
    batch: {
      maxQueueSize: values.OTEL_BSP_MAX_QUEUE_SIZE,
      maxExportBatchSize: values.OTEL_BSP_MAX_EXPORT_BATCH_SIZE,
      scheduledDelayMillis: values.OTEL_BSP_SCHEDULE_DELAY,
      exportTimeoutMillis: values.OTEL_BSP_EXPORT_TIMEOUT,
    },
  };
}
