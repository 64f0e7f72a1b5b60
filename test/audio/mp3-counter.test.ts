import { createCipheriv } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Mp3Counter } from '../../src/audio/mp3-counter.ts';
import { frameSeconds, infoFrame, mp3Frame, mp3Frames, variableMp3 } from '../support/mp3.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url));
const speech = read('src/demo-media/speech.mp3');
const plain = read('test/domains/uploads/sounds/plain.mp3');

function count(bytes: Uint8Array, pieceBytes?: number): number | null {
  return counterOf(bytes, pieceBytes).seconds;
}

function counterOf(bytes: Uint8Array, pieceBytes = 10_000): Mp3Counter {
  const counter = new Mp3Counter();
  for (let at = 0; at < bytes.byteLength; at += pieceBytes) {
    counter.add(bytes.subarray(at, at + pieceBytes));
  }
  counter.end();
  return counter;
}

/** The same bytes in each run. */
const randomBytes = (bytes: number) =>
  createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(bytes));

/** Not all bytes are the same, and some look like the beginning of a header. */
const junk = (bytes: number) =>
  Buffer.alloc(bytes, Buffer.from('APETAGEX\xff\xff\xff\xfb', 'latin1'));
const joined = (...parts: Uint8Array[]) => Buffer.concat(parts);
const half = (bytes: Buffer) => bytes.subarray(0, bytes.byteLength / 2);

describe('works', () => {
  it.each([
    ['one bit rate', mp3Frames(100), 100],
    ['a variable bit rate', mp3Frames(100, [32, 320, 128]), 100],
    ['two frames', mp3Frames(2), 2],
    ['a variable bit rate and a Xing header', variableMp3(100), 100],
    ['two of them that were joined', joined(variableMp3(100), variableMp3(100)), 201],
    ['a Xing header of fewer frames', variableMp3(100, 7), 100],
    ['a Xing header of more frames', variableMp3(100, 9_000), 100],
    ['an Info header', joined(infoFrame(9, { name: 'Info' }), mp3Frames(10)), 10],
    ['an Info header behind a checksum', joined(infoFrame(9, { at: 23 }), mp3Frames(10)), 10],
    ['a VBRI header', joined(infoFrame(9, { name: 'VBRI', at: 36 }), mp3Frames(10)), 10],
    ['tags between two files', joined(mp3Frames(10), junk(9_002), mp3Frames(10)), 20],
    ['tags at the end', joined(mp3Frames(10), junk(128)), 10],
    ['other bytes before', joined(junk(777), mp3Frames(10)), 10],
    ['a last frame that is cut', joined(mp3Frames(10), half(mp3Frame())), 10],
    ['a frame that is cut', joined(mp3Frames(10), half(mp3Frame()), mp3Frames(10)), 20],
    ['the free format', mp3Frames(10, [0]), 10],
    ['the free format after another', joined(mp3Frames(10), mp3Frames(10, [0]), mp3Frames(5)), 25],
  ])('counts the frames of %s', (_, bytes, frames) => {
    expect(count(bytes)).toBeCloseTo(frames * frameSeconds, 6);
    expect(count(bytes, 1)).toBeCloseTo(frames * frameSeconds, 6);
  });

  it('gives the same result for any pieces', () => {
    const bytes = joined(speech, junk(500), variableMp3(40), plain, mp3Frames(9, [0]), junk(4_200));
    const whole = count(bytes, bytes.byteLength) ?? 0;
    const pieces = fc.array(fc.integer({ min: 1, max: 9_000 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(pieces, (lengths) => {
        const counter = new Mp3Counter();
        let at = 0;
        for (const length of lengths) {
          counter.add(bytes.subarray(at, at + length));
          at += length;
        }
        counter.add(bytes.subarray(at));
        counter.end();
        expect(counter.seconds).toBeCloseTo(whole, 6);
      }),
    );
  });

  it('counts MPEG-2, as encoders of speech write it', () => {
    // Without the Info frame, 301 frames of 22.05 kHz and 30 of 16 kHz.
    expect(count(speech)).toBeCloseTo((301 * 576) / 22_050, 6);
    expect(count(plain)).toBeCloseTo((30 * 576) / 16_000, 6);
  });
});

describe('single frames between other bytes', () => {
  const separated = (frames: number, kbits?: number) =>
    Buffer.concat(Array.from({ length: frames }, () => [Buffer.alloc(1), mp3Frame(kbits)]).flat());

  it.each([
    ['of the same stream', mp3Frames(3)],
    ['of another stream', speech],
  ])('%s are counted apart', (_, first) => {
    const bytes = joined(first, separated(2_000));
    const { seconds, singleSeconds } = counterOf(bytes);
    expect(seconds).toBe(count(first));
    // Those that chance could explain are not counted.
    expect(singleSeconds).toBeLessThan(2_000 * frameSeconds);
    expect(singleSeconds).toBeGreaterThan(1_980 * frameSeconds);
    expect(counterOf(bytes, 99).singleSeconds).toBeCloseTo(singleSeconds, 6);
  });

  it('count once where they overlap', () => {
    const headers = Buffer.alloc(208 * 100, mp3Frame().subarray(0, 4));
    // 4 does not divide the length of a frame of 96 kbit/s.
    headers.forEach((byte, at) => {
      if (at % 4 === 2) headers[at] = (byte & 0x0f) | 0x70;
    });
    const { singleSeconds } = counterOf(joined(mp3Frames(3), headers));
    expect(singleSeconds).toBeLessThan(100 * frameSeconds);
    expect(singleSeconds).toBeGreaterThan(50 * frameSeconds);
  });

  it.each([
    ['random bytes', joined(mp3Frames(9), randomBytes(20 * 1024 ** 2))],
    ['random bytes between files', joined(speech, randomBytes(300_000), speech)],
    ['files that were joined', joined(speech, plain, variableMp3(40), speech)],
    [
      'frames that are damaged',
      joined(...Array.from({ length: 40 }, () => joined(mp3Frames(9), half(mp3Frame())))),
    ],
  ])('are not found in %s', (_, bytes) => {
    expect(counterOf(bytes, 65_536).singleSeconds).toBe(0);
  });
});

describe('refuses', () => {
  it.each([
    ['nothing', Buffer.alloc(0)],
    ['zeros', Buffer.alloc(9_000)],
    ['bytes without frames', junk(9_000)],
    ['a single frame', mp3Frame()],
    ['a header and no frame', mp3Frame().subarray(0, 40)],
    ['headers with nothing between them', Buffer.alloc(100_000, mp3Frame(128).subarray(0, 4))],
    ['frames of layer II', Buffer.alloc(90_000, layer2())],
  ])('to find sound in %s', (_, bytes) => {
    expect(count(bytes)).toBeNull();
  });

  it('to search without end for frames of the free format, and gives no result then', () => {
    // Headers of many streams, so that none finds the end of its frame within the search.
    const headers = Array.from({ length: 1_000 }, (_, at) => [0xff, 0xfb, at === 0 ? 0 : 0xff, 0]);
    const hostile = joined(
      mp3Frames(100),
      Buffer.alloc(20 * 1024 ** 2, Buffer.from([...headers.flat(), ...Buffer.alloc(1_000)])),
    );
    const startedAt = performance.now();
    expect(count(hostile, 65_536)).toBeNull();
    expect(performance.now() - startedAt).toBeLessThan(60_000);
  });
});

function layer2(): Buffer {
  const frame = Buffer.alloc(417);
  frame.set([0xff, 0xfd, 0x80, 0xc0]);
  return frame;
}
