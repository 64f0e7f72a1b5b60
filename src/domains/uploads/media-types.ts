import type { SoundContainer } from '../../audio/job.ts';
import { hasMp3Frames } from '../../audio/mp3-frames.ts';
import { isWav } from '../../audio/wav-header.ts';
import type { UploadKind } from './store.ts';

/** The number of first bytes that are checked: file-type's own sample size. */
export const headBytes = 4_100;

/** "Up to 5 GB", as the upstream documents POST /files. */
export const maxUploadBytes = 5 * 1024 ** 3;

/** The usual extension of a file whose type is not accepted for its kind; null if its type is not known. */
export type OtherType = { found: string | null };

export type MediaType = {
  kind: UploadKind;
  contentType: string;
  /** How the sound is decoded; null if the upstream accepts the file unchanged. */
  container: SoundContainer | null;
};

/** What browsers call a file of a type that they do not know. */
export const unknownType = 'application/octet-stream';

/** By type, the other names that browsers, operating systems and tools use for it. In lower case. */
type OtherNames = Record<string, readonly string[]>;

/** What other programs call a file of a type that they do not know. The second is the default of S3. */
const unknownTypes: OtherNames = { [unknownType]: ['binary/octet-stream'] };

/** Types of sound that the upstream documents for POST /files. */
const forwardedSounds: OtherNames = {
  'audio/wav': ['audio/wave', 'audio/x-wav', 'audio/x-wave', 'audio/vnd.wave', 'audio/x-pn-wav'],
  'audio/mpeg': [
    ...['audio/mp3', 'audio/x-mp3', 'audio/mpeg3', 'audio/x-mpeg3', 'audio/x-mpeg-3'],
    ...['audio/x-mpeg', 'audio/mpg', 'audio/x-mpg'],
  ],
};

/** Types of sound that are decoded, and of videos whose sound is. */
const decodedSounds: OtherNames = {
  'audio/mp4': [
    ...['audio/x-m4a', 'audio/m4a', 'audio/x-m4b', 'audio/m4b', 'audio/x-m4r', 'audio/mp4a-latm'],
    ...['application/mp4', 'video/mp4', 'video/quicktime', 'video/x-m4v', 'video/m4v'],
  ],
  'audio/aac': ['audio/x-aac', 'audio/aacp', 'audio/x-hx-aac-adts', 'audio/vnd.dlna.adts'],
  'audio/ogg': [
    ...['application/ogg', 'application/x-ogg', 'video/ogg', 'audio/x-ogg', 'audio/oga'],
    ...['audio/opus', 'audio/x-opus', 'audio/x-opus+ogg'],
    ...['audio/vorbis', 'audio/x-vorbis', 'audio/x-vorbis+ogg', 'audio/x-flac+ogg'],
  ],
  'audio/webm': [
    ...['audio/x-matroska', 'audio/matroska'],
    ...['video/webm', 'video/x-matroska', 'video/matroska'],
  ],
  'audio/flac': ['audio/x-flac', 'application/x-flac', 'application/flac'],
  'audio/aiff': ['audio/x-aiff', 'audio/aif', 'audio/x-aif', 'audio/aifc', 'audio/x-aifc'],
  'audio/x-caf': ['audio/caf'],
  'audio/3gpp': [
    ...['audio/3gp', 'audio/3gpp2', 'audio/3g2'],
    ...['video/3gpp', 'video/3gp', 'video/3gpp2', 'video/3g2'],
  ],
};

/** Types of video that the upstream documents for POST /files. */
const videos: OtherNames = {
  'video/mp4': ['video/x-mp4', 'video/x-m4v', 'video/m4v', 'application/mp4'],
  'video/quicktime': ['video/x-quicktime', 'video/mov'],
  'video/3gpp': ['video/3gp', 'video/3gpp2', 'video/3g2'],
  'video/x-matroska': ['video/matroska', 'video/mkv', 'application/x-matroska'],
  'video/x-flv': ['video/flv'],
  'video/mpeg': ['video/mpg', 'video/x-mpeg', 'video/x-mpg', 'video/mpeg2', 'video/mp2p'],
  // The only type that the upstream's documentation writes in mixed case.
  'video/MP2T': ['video/vnd.dlna.mpeg-tts', 'video/x-mp2t', 'video/x-mpegts', 'video/mpegts'],
  'video/x-msvideo': ['video/avi', 'video/msvideo', 'video/x-avi', 'video/vnd.avi'],
  'video/x-motion-jpeg': ['video/x-mjpeg', 'video/mjpeg'],
  'video/webm': [],
  'video/ogg': ['application/ogg', 'application/x-ogg', 'video/x-ogg', 'video/x-theora+ogg'],
};

const declarable: Record<UploadKind, ReadonlyMap<string, string>> = {
  AUDIO: byName({ ...forwardedSounds, ...unknownTypes, ...decodedSounds }),
  VIDEO: byName({ ...videos, ...unknownTypes }),
};

function byName(types: OtherNames): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(types).flatMap(([type, names]): [string, string][] =>
      [type.toLowerCase(), ...names].map((name) => [name, type]),
    ),
  );
}

/** From file-type's extension to the type. Not from its MIME type, which is ambiguous for some containers. */
const detectable: Record<UploadKind, ReadonlyMap<string, Omit<MediaType, 'kind'>>> = {
  AUDIO: new Map([
    ['wav', { contentType: 'audio/wav', container: null }],
    ['mp3', { contentType: 'audio/mpeg', container: null }],
    ['aif', { contentType: 'audio/aiff', container: 'AIFF' }],
    ['caf', { contentType: 'audio/x-caf', container: 'CAF' }],
    ...decoded('audio/mp4', ['m4a', 'm4b', 'mp4', 'm4v', 'mov', 'f4a', 'f4b']),
    ...decoded('audio/3gpp', ['3gp', '3g2']),
    ...decoded('audio/aac', ['aac']),
    ...decoded('audio/ogg', ['ogg', 'oga', 'opus', 'ogx', 'ogv']),
    ...decoded('audio/webm', ['webm', 'mka', 'mkv']),
    ...decoded('audio/flac', ['flac']),
  ]),
  VIDEO: new Map(
    Object.entries({
      mp4: 'video/mp4',
      m4v: 'video/mp4',
      mov: 'video/quicktime',
      '3gp': 'video/3gpp',
      mkv: 'video/x-matroska',
      flv: 'video/x-flv',
      mpg: 'video/mpeg',
      ts: 'video/MP2T',
      mts: 'video/MP2T',
      avi: 'video/x-msvideo',
      webm: 'video/webm',
      ogv: 'video/ogg',
    }).map(([extension, contentType]) => [extension, { contentType, container: null }]),
  ),
};

function decoded(contentType: string, extensions: readonly string[]) {
  return extensions.map((extension): [string, Omit<MediaType, 'kind'>] => [
    extension,
    { contentType, container: 'OTHER' },
  ]);
}

const motionJpeg = 'video/x-motion-jpeg';

/** The upstream's name for a declared type, or null if the upstream does not accept it for this kind. */
export function readContentType(kind: UploadKind, declared: string): string | null {
  const [type = ''] = declared.split(';');
  return declarable[kind].get(type.trim().toLowerCase()) ?? null;
}

/** The accepted types, for messages. */
export function listContentTypes(kind: UploadKind): string {
  return [...new Set(declarable[kind].values())].join(', ');
}

/**
 * The type of a file by its first bytes, not by its name or declared type. A raw motion JPEG begins like a photo, so
 * there the declared type decides. Containers such as MP4 hold sound and pictures, so there the kind decides.
 *
 * @param head the first `headBytes`, or the whole of a shorter file
 */
export async function detectMediaType(
  kind: UploadKind,
  head: Uint8Array,
  declared: string,
): Promise<MediaType | OtherType> {
  // file-type knows no WAV that is larger than 4 GB.
  if (kind === 'AUDIO' && isWav(head)) return { kind, contentType: 'audio/wav', container: null };
  // Read when it is needed, to keep startup short.
  const { fileTypeFromBuffer } = await import('file-type');
  const found = await fileTypeFromBuffer(head).catch(() => undefined);
  if (kind === 'VIDEO' && found?.ext === 'jpg' && declared === motionJpeg) {
    return { kind, contentType: motionJpeg, container: null };
  }
  const type = found === undefined ? undefined : detectable[kind].get(found.ext);
  if (type !== undefined) return { kind, ...type };
  // Bytes before the first frame, such as of a cut tag. The service gets the sound without them.
  if (kind === 'AUDIO' && found === undefined && hasMp3Frames(head)) {
    return { kind, contentType: 'audio/mpeg', container: 'OTHER' };
  }
  return { found: found?.ext ?? null };
}
