import { Mp3Counter } from '../../../audio/mp3-counter.ts';
import { UploadRejection } from '../rejection.ts';
import { maxSoundSeconds } from './decoding.ts';
import { type Outgoing, readPieces, type Source } from './source.ts';
import { TagSkipper } from './tag-skipper.ts';

/**
 * A minute at the highest bit rate has 2.4 MB. The rest is for tags at the end; those at the beginning are not counted. This
 * limits the work of counting.
 */
const maxMp3Bytes = 20 * 1024 ** 2;

/** Forwards an MP3 unchanged, and counts its frames. */
export function sendMp3(source: Source): Outgoing {
  const counter = new Mp3Counter();
  return {
    body: forwardCounted(source, counter),
    contentType: 'audio/mpeg',
    contentLength: source.size ?? undefined,
    readDuration: async () => readSeconds(counter),
    close: async () => undefined,
  };
}

/**
 * The last piece is sent only after the frames were counted, so that the upstream gets no file that has no sound or is too
 * long: it drops a request that ends before its body does.
 */
async function* forwardCounted(source: Source, counter: Mp3Counter): AsyncGenerator<Uint8Array> {
  const tags = new TagSkipper();
  let bytes = 0;
  let held: Uint8Array | null = null;
  for await (const piece of readPieces(source)) {
    if (held !== null) yield held;
    const part = tags.skip(piece);
    bytes += part.byteLength;
    if (bytes > maxMp3Bytes) throw UploadRejection.tooLong();
    counter.add(part);
    checkCounted(counter);
    held = piece;
  }
  counter.end();
  checkCounted(counter);
  if (counter.seconds === null) throw UploadRejection.undecodable();
  if (held !== null) yield held;
}

/** An MP3 of a sound of 60 seconds is slightly longer, because encoders surround the sound with silence. */
function checkCounted({ seconds, singleSeconds, maxPaddingSeconds }: Mp3Counter): void {
  // Without counted frames the file is no MP3.
  const audible = seconds === null ? 0 : seconds + singleSeconds;
  if (audible > maxSoundSeconds + maxPaddingSeconds) throw UploadRejection.tooLong();
}

function readSeconds({ seconds }: Mp3Counter): number | null {
  return seconds === null ? null : Math.min(Math.round(seconds * 1_000) / 1_000, maxSoundSeconds);
}
