import type { EncodedPacket, EncodedPacketSink } from 'mediabunny';
import { UnreadableSound } from './wav-writer.ts';

/** Decoders need some sound before the wanted one: 80 ms for Opus, two frames for AAC. */
const prerollSeconds = 0.25;

/** The packet at which the decoding of a part begins. @throws {UnreadableSound} if the track has none */
export async function findFirstPacket(
  sink: EncodedPacketSink,
  beginSeconds: number,
): Promise<EncodedPacket> {
  const packet =
    (await sink.getPacket(beginSeconds - prerollSeconds)) ?? (await sink.getFirstPacket());
  if (packet === null) throw new UnreadableSound();
  return packet;
}
