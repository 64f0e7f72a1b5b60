import { Failure, UpstreamUnavailableError } from '../../errors.ts';
import type { UploadDependencies } from './dependencies.ts';
import { postFile } from './endpoints.ts';
import { IncomingBody } from './incoming-body.ts';
import { UploadRejection } from './rejection.ts';
import type { Clip, Decoding } from './sound/decoding.ts';
import { prepareOutgoing } from './sound/outgoing.ts';
import { recogniseFile } from './sound/recognise.ts';
import type { TransferredFile, Upload } from './store.ts';

export type TransferDependencies = UploadDependencies & { readonly decoding: Decoding };

export type Transfer = {
  /** Read piece by piece and never closed. */
  body: AsyncIterator<Uint8Array>;
  /** Aborted when the outcome is no longer needed, with an `Interruption` as its reason. */
  signal: AbortSignal;
  /** Called for each piece that arrives, with the number of bytes so far. */
  onPiece?: (receivedBytes: number) => void;
  /** Default: 5 GB. */
  maxBytes?: number | undefined;
};

/**
 * Checks the first bytes, then forwards the whole file as it arrives. Memory use is about a hundred kilobytes, independent
 * of the size of the file and the speed of either end; only the parser for the duration may hold some megabytes. Sound that
 * the upstream does not accept unchanged, or of which only a part is used, waits on disk until it is decoded.
 *
 * @param expected its `size` is in bytes, null = not announced; its content type is used only where the bytes are
 * ambiguous
 * @throws {UploadRejection}
 */
export async function transferFile(
  deps: TransferDependencies,
  expected: Pick<Upload, 'kind' | 'contentType' | 'size' | 'owner'> & Clip,
  { body, signal, onPiece, maxBytes }: Transfer,
): Promise<TransferredFile> {
  const incoming = new IncomingBody(body, expected.size, { minRate: deps.minRate, maxBytes });
  const { media, head } = await recogniseFile(expected, { incoming, signal, onPiece });
  if ('found' in media) throw UploadRejection.wrongKind(expected.kind, media.found);
  const source = { ...expected, head, incoming, signal, onPiece };
  const outgoing = await prepareOutgoing(deps.decoding, media, source);
  try {
    const { path } = await postFile(deps.upstream, {
      body: outgoing.body,
      contentType: outgoing.contentType,
      contentLength: outgoing.contentLength,
      email: await deps.accounts.pickForUpload(),
      signal,
    });
    // A success for a part of the file cannot be trusted.
    if (!incoming.isWhole) throw new UpstreamUnavailableError('INVALID_ANSWER');
    return {
      path,
      contentType: media.contentType,
      storedContentType: outgoing.contentType,
      size: incoming.bytes,
      durationSeconds: await outgoing.readDuration(),
    };
  } catch (thrown) {
    throw findCause(thrown, incoming, signal);
  } finally {
    await outgoing.close();
  }
}

/** When one end fails, the other fails too: finds the first cause. */
function findCause(thrown: unknown, incoming: IncomingBody, signal: AbortSignal): unknown {
  if (thrown instanceof UploadRejection) return thrown;
  if (signal.aborted) return UploadRejection.interrupted(signal.reason);
  if (incoming.isBroken) return UploadRejection.interrupted('CLIENT_LEFT');
  // One idle timeout covers the client and the upstream.
  if (incoming.isWaiting && isTimeout(thrown)) return UploadRejection.stalled();
  return thrown instanceof Failure ? new UploadRejection('UPSTREAM', thrown) : thrown;
}

function isTimeout(thrown: unknown): boolean {
  return thrown instanceof UpstreamUnavailableError && thrown.reason === 'TIMEOUT';
}
