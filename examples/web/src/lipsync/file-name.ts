/** File systems allow 255 bytes; a browser may add ` (1)`, and other programs more. */
const maxBytes = 180;

/** What a lip-sync is recognized by. */
type Named = { reference: string | null; text: string | null; createdAt: string };

/**
 * The name of a downloaded video, after the reference and the text, in any script. Without both, after the audio file, or the
 * time of the request.
 */
export function fileNameOf(lipsync: Named, audioName: string | null): string {
  const { reference, text, createdAt } = lipsync;
  const parts = [clean(reference ?? '', maxBytes / 2), clean(text ?? '', maxBytes)];
  const name =
    cut(parts.filter((part) => part !== '').join(' - '), maxBytes) ||
    clean((audioName ?? '').replace(/\.\w{1,5}$/, ''), maxBytes) ||
    `Lip-sync of ${createdAt.slice(0, 16).replace('T', ' ').replace(':', '.')}`;
  return `${reservedNames.test(name) ? `${name}_` : name}.mp4`;
}

/** Windows has devices of these names. */
const reservedNames = /^(con|prn|aux|nul|com\d|lpt\d)$/i;

/**
 * The text without what a file system or a shell would interpret: separators of paths, wildcards, control characters, and invisible marks that reverse the text. The joiners of emoji and of some scripts stay.
 */
function clean(text: string, bytes: number): string {
  const safe = text
    .toWellFormed()
    .normalize('NFC')
    .replaceAll(/(?![\u200c\u200d])\p{Cf}|\ufffd/gu, '')
    .replaceAll(/[\p{Cc}\s\\/:*?"<>|]+/gu, ' ');
  return cut(safe, bytes);
}

/** Cuts between characters as readers see them, so that no emoji is broken, and not in the middle of a word if possible. */
function cut(text: string, bytes: number): string {
  const encoder = new TextEncoder();
  let kept = '';
  let used = 0;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    used += encoder.encode(segment).byteLength;
    if (used > bytes) {
      const lastSpace = kept.lastIndexOf(' ');
      return trim(lastSpace > kept.length / 2 ? kept.slice(0, lastSpace) : kept);
    }
    kept += segment;
  }
  return trim(kept);
}

/** Files whose name begins with a dot are hidden, and Windows removes dots and spaces from the end. */
function trim(text: string): string {
  return text.replace(/^[\s.~-]+/, '').replace(/[\s.-]+$/, '');
}
