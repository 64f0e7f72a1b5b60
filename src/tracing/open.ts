import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import { BatchSpanProcessor, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace';
import type { Log } from '../log.ts';
import { watchExports } from './exports.ts';
import { createSampler } from './sampler.ts';
import type { TracingSettings } from './settings.ts';
import { nameThrown, placeSpan, RecordedSpan, toLibraryOptions } from './span.ts';
import { noSpan, type Span, type SpanOptions, type Tracer } from './tracer.ts';

/** Shutdown waits this long for the collector. The process has ten seconds in all. */
const maxCloseMs = 2_000;

const serviceName = 'lipsync-graphql';

/** Opens tracing with OpenTelemetry. This folder is loaded only if there is an exporter. */
export async function openTracer(settings: TracingSettings, log: Log): Promise<Tracer> {
  const exporter = watchExports(await createExporter(settings), log);
  const own = { 'service.name': serviceName, 'service.instance.id': randomUUID() };
  const provider = new TracerProvider({
    // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES replace our own.
    resource: defaultResource()
      .merge(resourceFromAttributes(own))
      .merge(detectResources({ detectors: [envDetector] })),
    sampler: createSampler(settings),
    spanProcessors: [new BatchSpanProcessor({ exporter, ...settings.batch })],
  });
  const tracer = provider.getTracer(serviceName);
  // Not the context manager of OpenTelemetry's API, which exists once in a process.
  const active = new AsyncLocalStorage<RecordedSpan>();

  function start(name: string, options: SpanOptions): Span {
    const current = active.getStore();
    // A timer or a listener keeps the span that was active when it was created, also after that span has ended.
    const parent = current?.isOpen === true ? current : null;
    if (parent === null && options.needsParent === true) return noSpan;
    const { context, links } = placeSpan(parent, options);
    return new RecordedSpan(tracer.startSpan(name, toLibraryOptions(options, links), context));
  }

  const within: Tracer['within'] = (span, work) =>
    span instanceof RecordedSpan ? active.run(span, work) : work();

  return {
    isOn: true,
    start,
    within,
    async run(name, options, work) {
      const span = start(name, options);
      try {
        return await within(span, () => work(span));
      } catch (thrown) {
        span.fail(nameThrown(thrown));
        throw thrown;
      } finally {
        span.end();
      }
    },
    flush: () => provider.forceFlush().catch(ignore),
    close: () =>
      Promise.race([
        provider.shutdown().catch(ignore),
        wait(maxCloseMs, undefined, { ref: false }),
      ]),
  };
}

/** The exporters read their headers, timeout, compression and certificates from OpenTelemetry's variables. */
async function createExporter({ url, protocol }: TracingSettings): Promise<SpanExporter> {
  const { OTLPTraceExporter } = await (protocol === 'http/json'
    ? import('@opentelemetry/exporter-trace-otlp-http')
    : import('@opentelemetry/exporter-trace-otlp-proto'));
  return new OTLPTraceExporter({ url });
}

/** A failed export is logged by `watchExports`. */
function ignore(): void {}
