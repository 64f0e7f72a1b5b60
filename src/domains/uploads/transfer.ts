import { Failure, UpstreamUnavailableError } from '../../errors.ts';
import { type DurationProbe, startProbe } from './duration.ts';
import { postFile } from './endpoints.ts';
import type { UploadEngine } from './engine.ts';
import { detectMedia, headBytes } from './inspect.ts';
import { Refusal, refuseInterrupted, refuseKind, refuseStalled } from './refusal.ts';
import { readHead, Source } from './source.ts';
import type { Arrival, Upload } from './store.ts';

export type Transfer = {
  /** Taken piece by piece and never closed. */
  body: AsyncIterator<Uint8Array>;
  /** Aborted when the outcome is of no use any more, with an `Interruption` as its reason. */
  signal: AbortSignal;
  /** Called for each piece that arrives. */
  onPiece?: () => void;
};

/**
 * Looks at the first bytes, then passes all of them on as they come. About a hundred kilobytes are in memory at a time,
 * whatever the size of the file and the pace of either end; only the duration's parser may hold some megabytes.
 *
 * @param expected its `size` is in bytes, null = not told; its content type only helps where bytes are ambiguous
 * @throws {Refusal}
 */
export async function transferFile(
  engine: UploadEngine,
  expected: Pick<Upload, 'kind' | 'contentType' | 'size'>,
  { body, signal, onPiece }: Transfer,
): Promise<Arrival> {
  const source = new Source(body, expected.size);
  const head = await readHead(source, signal);
  const media = await detectMedia(head.subarray(0, headBytes), expected.contentType);
  if (media?.kind !== expected.kind) throw refuseKind(expected.kind);
  const { contentType } = media;
  const probe = startProbe(contentType, expected.size);
  try {
    const { path } = await postFile(engine.upstream, {
      body: pour({ head, source, probe, onPiece }),
      contentType,
      contentLength: expected.size ?? undefined,
      email: await engine.accounts.pickForUpload(),
      signal,
    });
    // An upstream that says yes to half a file has not understood.
    if (!source.isWhole) throw new UpstreamUnavailableError('INVALID_ANSWER');
    return { path, contentType, size: source.bytes, durationSeconds: await probe.finish() };
  } catch (thrown) {
    throw explain(thrown, source, signal);
  } finally {
    probe.stop();
  }
}

async function* pour(from: {
  head: Uint8Array;
  source: Source;
  probe: DurationProbe;
  onPiece: (() => void) | undefined;
}): AsyncGenerator<Uint8Array> {
  let piece: Uint8Array | null = from.head;
  while (piece !== null) {
    from.onPiece?.();
    await from.probe.offer(piece);
    yield piece;
    piece = await from.source.next();
  }
}

/** Several things break at once when one end goes: finds the one that was first. */
function explain(thrown: unknown, source: Source, signal: AbortSignal): unknown {
  if (thrown instanceof Refusal) return thrown;
  if (signal.aborted) return refuseInterrupted(signal.reason);
  if (source.isBroken) return refuseInterrupted('CLIENT_LEFT');
  // Client and upstream share one idle timeout.
  if (source.isWaiting && isTimeout(thrown)) return refuseStalled();
  return thrown instanceof Failure ? new Refusal('UPSTREAM', thrown) : thrown;
}

function isTimeout(thrown: unknown): boolean {
  return thrown instanceof UpstreamUnavailableError && thrown.reason === 'TIMEOUT';
}
