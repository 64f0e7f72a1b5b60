import type { UploadKind } from './store.ts';

/** The number of first bytes that are checked: file-type's own sample size. */
export const headBytes = 4_100;

/** "Up to 5 GB", as the upstream documents POST /files. */
export const maxUploadBytes = 5 * 1024 ** 3;

export type MediaType = { kind: UploadKind; contentType: string };

// The types that the upstream documents for POST /files, with other names that browsers and tools use for them.
const declarable: Record<UploadKind, ReadonlyMap<string, string>> = {
  AUDIO: new Map([
    ['audio/wav', 'audio/wav'],
    ['audio/wave', 'audio/wav'],
    ['audio/x-wav', 'audio/wav'],
    ['audio/vnd.wave', 'audio/wav'],
    ['audio/mpeg', 'audio/mpeg'],
    ['audio/mp3', 'audio/mpeg'],
    ['audio/x-mp3', 'audio/mpeg'],
  ]),
  VIDEO: new Map(
    [
      'video/mp4',
      'video/quicktime',
      'video/3gpp',
      'video/x-matroska',
      'video/x-flv',
      'video/mpeg',
      // The only type that the upstream's documentation writes in mixed case.
      'video/MP2T',
      'video/x-msvideo',
      'video/x-motion-jpeg',
      'video/webm',
      'video/ogg',
    ].map((type) => [type.toLowerCase(), type]),
  ),
};

/** From file-type's extension to the upstream's type. Not from its MIME type, which is ambiguous for some containers. */
const detectable: ReadonlyMap<string, MediaType> = new Map([
  ['wav', { kind: 'AUDIO', contentType: 'audio/wav' }],
  ['mp3', { kind: 'AUDIO', contentType: 'audio/mpeg' }],
  ['mp4', { kind: 'VIDEO', contentType: 'video/mp4' }],
  ['m4v', { kind: 'VIDEO', contentType: 'video/mp4' }],
  ['mov', { kind: 'VIDEO', contentType: 'video/quicktime' }],
  ['3gp', { kind: 'VIDEO', contentType: 'video/3gpp' }],
  ['mkv', { kind: 'VIDEO', contentType: 'video/x-matroska' }],
  ['flv', { kind: 'VIDEO', contentType: 'video/x-flv' }],
  ['mpg', { kind: 'VIDEO', contentType: 'video/mpeg' }],
  ['ts', { kind: 'VIDEO', contentType: 'video/MP2T' }],
  ['mts', { kind: 'VIDEO', contentType: 'video/MP2T' }],
  ['avi', { kind: 'VIDEO', contentType: 'video/x-msvideo' }],
  ['webm', { kind: 'VIDEO', contentType: 'video/webm' }],
  ['ogv', { kind: 'VIDEO', contentType: 'video/ogg' }],
] satisfies [string, MediaType][]);

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
 * The type of a file by its first bytes, not by its name or declared type; null for types that the upstream does not accept
 * for a lip-sync. A raw motion JPEG begins like a photo, so there the declared type decides.
 *
 * @param head the first `headBytes`, or the whole of a shorter file
 */
export async function detectMediaType(
  head: Uint8Array,
  declared: string,
): Promise<MediaType | null> {
  // Read when it is needed, to keep the start short.
  const { fileTypeFromBuffer } = await import('file-type');
  const found = await fileTypeFromBuffer(head).catch(() => undefined);
  if (found === undefined) return null;
  if (found.ext === 'jpg' && declared === motionJpeg) {
    return { kind: 'VIDEO', contentType: motionJpeg };
  }
  return detectable.get(found.ext) ?? null;
}
