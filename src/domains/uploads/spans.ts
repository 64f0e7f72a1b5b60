import { noTracer, type SpanKind } from '../../tracing/tracer.ts';
import type { UploadDependencies } from './dependencies.ts';
import type { Upload } from './store.ts';

type Deps = Pick<UploadDependencies, 'tracer'>;

/** Inserts an upload with the `traceparent` of the span in which it is created. Later spans of the upload are below that. */
export function insertTraced<T>(
  { tracer = noTracer }: Deps,
  upload: Upload,
  insert: (traced: Upload) => Promise<T>,
): Promise<T> {
  const attributes = { 'upload.id': upload.id };
  return tracer.run('upload create', { kind: 'producer', attributes }, (span) =>
    insert({ ...upload, traceparent: span.traceparent ?? upload.traceparent }),
  );
}

/** Runs work on an upload in a span of its trace. */
export function traceUpload<T>(
  { tracer = noTracer }: Deps,
  { upload, ...span }: { upload: Upload; name: 'upload receive' | 'upload import'; kind: SpanKind },
  work: () => Promise<T>,
): Promise<T> {
  const attributes = { 'upload.id': upload.id };
  return tracer.run(span.name, { kind: span.kind, of: upload.traceparent, attributes }, work);
}
