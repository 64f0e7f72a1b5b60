const tagHeaderBytes = 10;

/**
 * Leaves out the ID3v2 tags at the beginning of a file, whatever their size. A parser would hold a cover of many megabytes
 * in memory, or give up.
 */
export class TagSkipper {
  /** Bytes of a tag that are still to be left out. */
  #left = 0;
  #pending: Uint8Array = new Uint8Array();
  #isPastTags = false;

  /** @returns the part of the piece that is not a tag */
  skip(piece: Uint8Array): Uint8Array {
    if (this.#isPastTags) return piece;
    let rest = piece.subarray(Math.min(this.#left, piece.byteLength));
    this.#left -= piece.byteLength - rest.byteLength;
    if (this.#left > 0 || rest.byteLength === 0) return rest;
    rest = Buffer.concat([this.#pending, rest]);
    this.#pending = new Uint8Array();
    if (!beginsLikeTag(rest)) {
      this.#isPastTags = true;
      return rest;
    }
    if (rest.byteLength < tagHeaderBytes) {
      this.#pending = rest;
      return new Uint8Array();
    }
    this.#left = readTagBytes(rest);
    return this.skip(rest);
  }
}

function beginsLikeTag(bytes: Uint8Array): boolean {
  return [0x49, 0x44, 0x33].every((byte, at) => at >= bytes.byteLength || bytes[at] === byte);
}

/** The size has seven bits in each byte, and does not count the header and the footer. */
function readTagBytes(bytes: Uint8Array): number {
  const [flags = 0, ...size] = bytes.subarray(5, tagHeaderBytes);
  const hasFooter = (flags & 0x10) !== 0;
  const body = size.reduce((sum, byte) => sum * 128 + (byte & 0x7f), 0);
  return tagHeaderBytes + body + (hasFooter ? tagHeaderBytes : 0);
}
