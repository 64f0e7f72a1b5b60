import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { startProbe } from '../../../src/domains/uploads/sound/duration.ts';
import { wav, wavHead } from './upload-harness.ts';

const mp3 = await readFile(new URL('../../../src/demo-media/speech.mp3', import.meta.url));
const mp4 = await readFile(new URL('../../../src/sandbox/media/source-1.mp4', import.meta.url));

async function probe(contentType: string, bytes: Uint8Array, size: number | null = null) {
  const durationProbe = startProbe(contentType, size);
  for (let at = 0; at < bytes.byteLength; at += 10_000) {
    await durationProbe.offer(bytes.subarray(at, at + 10_000));
  }
  return await durationProbe.finish();
}

describe('works', () => {
  it.each([0.5, 1, 61])('reads %f seconds of WAV from its header', async (seconds) => {
    expect(await probe('audio/wav', wav(seconds))).toBe(seconds);
    expect(await probe('audio/wav', wav(seconds), wav(seconds).byteLength)).toBe(seconds);
  });

  it('reads an MP4', async () => {
    expect(await probe('video/mp4', mp4)).toBeGreaterThan(1);
  });
});

describe('refuses', () => {
  it('to give a duration for a piped WAV, whose header has none, without a known size', async () => {
    const piped = Buffer.concat([wavHead(0), Buffer.alloc(16_000)]);
    piped.writeUInt32LE(0xffffffff, 4);
    piped.writeUInt32LE(0xffffffff, 40);
    expect(await probe('audio/wav', piped)).toBeNull();
    expect(await probe('audio/wav', piped, piped.byteLength)).toBe(1);
  });

  it('to buffer a chunk that claims a gigabyte', async () => {
    const greedy = Buffer.concat([
      wavHead(0).subarray(0, 36),
      Buffer.from('id3 '),
      Buffer.alloc(4),
    ]);
    greedy.writeUInt32LE(2 ** 30, 4);
    greedy.writeUInt32LE(2 ** 30 - 100, 40);
    const before = process.memoryUsage().arrayBuffers;
    const durationProbe = startProbe('audio/wav', null);
    await durationProbe.offer(greedy);
    for (let sent = 0; sent < 64; sent += 1) await durationProbe.offer(Buffer.alloc(1024 ** 2));
    expect(await durationProbe.finish()).toBeNull();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100 * 1024 ** 2);
  });

  it('to throw for any bytes', async () => {
    const types = fc.constantFrom('audio/wav', 'audio/mpeg', 'video/mp4', 'video/webm');
    const heads = fc.constantFrom(
      wav(1).subarray(0, 60),
      mp3.subarray(0, 400),
      mp4.subarray(0, 400),
    );
    await fc.assert(
      fc.asyncProperty(
        types,
        heads,
        fc.uint8Array({ maxLength: 2_000 }),
        async (type, head, rest) => {
          const seconds = await probe(type, Buffer.concat([head, rest]));
          expect(seconds === null || seconds > 0).toBe(true);
        },
      ),
    );
  });
});
