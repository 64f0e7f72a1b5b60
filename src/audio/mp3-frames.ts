/** Bit rates of layer III in kbit/s, of MPEG-1 and of the versions with half its sample rates. */
const bitRates = {
  full: [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  half: [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
};
const sampleRates = [44_100, 48_000, 32_000];
/** By version: MPEG-2.5, none, MPEG-2, MPEG-1. */
const rateDivisors = [4, 0, 2, 1];

/** Any file can contain bytes that look like one frame, but hardly ever three frames in a row. */
const neededFrames = 3;

/** What the header of a frame says. */
export type Mp3Frame = {
  /** The length with the header; 0 for the free format, whose header does not say it. */
  bytes: number;
  seconds: number;
  /** The same for all frames of a stream: version, sample rate, and whether it has the free format. */
  stream: number;
  /** 1 for a frame that is a byte longer than others of its bit rate. */
  padding: number;
};

/** True if the bytes contain consecutive frames of an MP3, at any position. */
export function hasMp3Frames(bytes: Uint8Array): boolean {
  for (let from = 0; from < bytes.byteLength; from += 1) {
    let at = from;
    for (let count = 0; count < neededFrames; count += 1) {
      const length = readFrame(bytes, at)?.bytes ?? 0;
      if (length === 0) break;
      if (count === neededFrames - 1) return true;
      at += length;
    }
  }
  return false;
}

/** The frame whose header stands here; null if none does. */
export function readFrame(bytes: Uint8Array, at: number): Mp3Frame | null {
  const sync = bytes[at];
  const version = bytes[at + 1] ?? 0;
  const rates = bytes[at + 2];
  if (sync !== 0xff || (version & 0xe6) !== 0xe2 || rates === undefined) return null;
  const divisor = rateDivisors[(version >> 3) & 3] ?? 0;
  const baseRate = sampleRates[(rates >> 2) & 3] ?? 0;
  const kbits = bitRates[divisor === 1 ? 'full' : 'half'][rates >> 4];
  if (divisor === 0 || baseRate === 0 || kbits === undefined) return null;
  const samples = divisor === 1 ? 1_152 : 576;
  const rate = baseRate / divisor;
  const padding = (rates >> 1) & 1;
  return {
    bytes: kbits === 0 ? 0 : Math.floor((samples * kbits * 125) / rate) + padding,
    seconds: samples / rate,
    padding,
    stream: ((version & 0x18) << 8) | (rates & 0x0c) | (kbits === 0 ? 1 : 0),
  };
}

/** By version and channels, the bytes between the header of a frame and its sound. */
const sideBytes = { full: { mono: 17, other: 32 }, half: { mono: 9, other: 17 } };
const headerBytes = 4;
const vbriAt = 36;
const mono = 3;

/** True if the frame has no sound, but what encoders say about the whole file. Decoders leave such a first frame out. */
export function isInfoFrame(bytes: Uint8Array, at: number): boolean {
  const sizes = sideBytes[((bytes[at + 1] ?? 0) & 0x18) === 0x18 ? 'full' : 'half'];
  const side = sizes[(bytes[at + 3] ?? 0) >> 6 === mono ? 'mono' : 'other'];
  const tagAt = at + headerBytes + side;
  // Some writers count the two bytes of a checksum, others do not.
  const names = [tagAt, tagAt + 2].map((from) => latin1(bytes, from));
  return (
    names.some((name) => name === 'Xing' || name === 'Info') ||
    latin1(bytes, at + vbriAt) === 'VBRI'
  );
}

function latin1(bytes: Uint8Array, from: number): string {
  return Buffer.from(bytes.subarray(from, from + 4)).toString('latin1');
}
