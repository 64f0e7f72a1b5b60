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

/** True if the bytes contain consecutive frames of an MP3, at any position. */
export function hasMp3Frames(bytes: Uint8Array): boolean {
  for (let from = 0; from < bytes.byteLength; from += 1) {
    let at = from;
    for (let count = 0; count < neededFrames; count += 1) {
      const length = readFrameBytes(bytes, at);
      if (length === 0) break;
      if (count === neededFrames - 1) return true;
      at += length;
    }
  }
  return false;
}

/** The length of the frame that begins here; 0 if none does. */
function readFrameBytes(bytes: Uint8Array, at: number): number {
  const [sync = 0, version = 0, rates = 0] = bytes.subarray(at, at + 3);
  if (sync !== 0xff || (version & 0xe6) !== 0xe2) return 0;
  const divisor = rateDivisors[(version >> 3) & 3] ?? 0;
  const sampleRate = sampleRates[(rates >> 2) & 3] ?? 0;
  const kbits = bitRates[divisor === 1 ? 'full' : 'half'][rates >> 4] ?? 0;
  if (divisor === 0 || sampleRate === 0 || kbits === 0) return 0;
  const samples = divisor === 1 ? 144_000 : 72_000;
  return Math.floor((samples * kbits * divisor) / sampleRate) + ((rates >> 1) & 1);
}
