import { createReadStream } from 'node:fs';
import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SoundContainer } from '../../../audio/job.ts';
import type { ConversionResult, SoundConverter } from '../../../audio/sound-converter.ts';
import type { OwnerSlots } from '../../../owner-slots.ts';
import { type IncomingBody, nextInTime } from '../incoming-body.ts';
import { UploadRejection } from '../rejection.ts';
import type { Upload } from '../store.ts';

/** The upstream accepts audio of at most 60 seconds. */
export const maxSoundSeconds = 60;

/** A file is decoded from disk. A minute of the largest common sound, 192 kHz with 24 bits, has 70 MB. */
export const maxDecodedBytes = 256 * 1024 ** 2;

/** What decodes files, and how many wait on disk for it. */
export type Decoding = { readonly converter: SoundConverter; readonly slots: OwnerSlots };

export type Clip = Pick<Upload, 'clipStartSeconds' | 'clipDurationSeconds'>;

/** A file on disk, with the slot of its owner, until it is closed. */
export type Spool = {
  readonly inputPath: string;
  readonly outputPath: string;
  close(): Promise<void>;
};

export async function openSpool({ slots }: Decoding, owner: string): Promise<Spool> {
  const release = slots.acquire(owner);
  if (release === null) throw UploadRejection.tooManyDecodings();
  try {
    const folder = await mkdtemp(join(tmpdir(), 'lipsync-audio-'));
    return {
      inputPath: join(folder, 'input'),
      outputPath: join(folder, 'output.wav'),
      async close() {
        await rm(folder, { recursive: true, force: true });
        release();
      },
    };
  } catch (error) {
    release();
    throw error;
  }
}

/** Writes the whole file to disk as it arrives. @returns its size in bytes */
export async function fillSpool(
  { inputPath }: Spool,
  from: {
    head: Uint8Array;
    incoming: IncomingBody;
    signal: AbortSignal;
    onPiece?: ((receivedBytes: number) => void) | undefined;
    /** Creates the rejection of a file that is larger. */
    limit: { bytes: number; reject: () => UploadRejection };
  },
): Promise<number> {
  await using file = await open(inputPath, 'w');
  let piece: Uint8Array | null = from.head;
  while (piece !== null) {
    if (from.incoming.bytes > from.limit.bytes) throw from.limit.reject();
    from.onPiece?.(from.incoming.bytes);
    await file.writeFile(piece);
    piece = await nextInTime(from.incoming, from.signal);
  }
  return from.incoming.bytes;
}

/** Decodes the file of a spool, or a part of its sound, into its WAV. @throws {UploadRejection} */
export async function decodeSpool(
  { converter }: Decoding,
  { inputPath, outputPath }: Spool,
  { container, clip, signal }: { container: SoundContainer; clip: Clip; signal: AbortSignal },
): Promise<{ durationSeconds: number; bytes: number }> {
  const isCut = isClipped(clip);
  const window = {
    startSeconds: clip.clipStartSeconds ?? 0,
    maxSeconds: clip.clipDurationSeconds ?? maxSoundSeconds,
    isCut,
  };
  const result = await converter.convert({ inputPath, outputPath, container, window }, signal);
  if (result.kind !== 'decoded') throw toRejection(result, signal);
  const durationSeconds = Math.round(result.durationSeconds * 1000) / 1000;
  return { durationSeconds, bytes: (await stat(outputPath)).size };
}

export function isClipped({ clipStartSeconds, clipDurationSeconds }: Clip): boolean {
  return clipStartSeconds !== null || clipDurationSeconds !== null;
}

function toRejection(
  { kind }: Exclude<ConversionResult, { kind: 'decoded' }>,
  signal: AbortSignal,
): UploadRejection {
  switch (kind) {
    case 'too-long':
      return UploadRejection.tooLong();
    case 'video-without-sound':
      return UploadRejection.hasNoSound();
    case 'empty-clip':
      return UploadRejection.emptyClip();
    case 'timeout':
      return UploadRejection.takesTooLong();
    case 'aborted':
      return UploadRejection.interrupted(signal.reason);
    default:
      return UploadRejection.undecodable();
  }
}

/** The bytes of a file on disk from this position. */
export async function* readSpooled(path: string, start = 0): AsyncGenerator<Uint8Array> {
  for await (const piece of createReadStream(path, { start })) yield piece as Uint8Array;
}
