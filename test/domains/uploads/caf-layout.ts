const aacConfigOf = (adts: Buffer): Buffer => {
  const objectType = (adts.readUInt8(2) >> 6) + 1;
  const rate = (adts.readUInt8(2) >> 2) & 0x0f;
  const channels = ((adts.readUInt8(2) & 1) << 2) | (adts.readUInt8(3) >> 6);
  return Buffer.from([(objectType << 3) | (rate >> 1), ((rate & 1) << 7) | (channels << 3)]);
};

/** The packets of an ADTS stream, without their headers. */
function readAdts(adts: Buffer): Buffer[] {
  const packets: Buffer[] = [];
  for (let at = 0; at + 7 < adts.byteLength; ) {
    const size = (adts.readUInt32BE(at + 2) >>> 5) & 0x1fff;
    packets.push(adts.subarray(at + 7, at + size));
    at += size;
  }
  return packets;
}

function chunk(name: string, body: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.write(name, 'latin1');
  head.writeBigInt64BE(BigInt(body.byteLength), 4);
  return Buffer.concat([head, body]);
}

const descriptor = (tag: number, ...parts: Buffer[]) => {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag, 0x80, 0x80, 0x80, body.byteLength]), body]);
};

/** The tests' own encoder of CAF: AAC as voice recorders of Apple write it. */
export function encodeAacCaf(adts: Buffer, sampleRate: number): Buffer {
  const packets = readAdts(adts);
  const description = Buffer.alloc(32);
  description.writeDoubleBE(sampleRate, 0);
  description.write('aac ', 8, 'latin1');
  description.writeUInt32BE(1_024, 20);
  description.writeUInt32BE(1, 24);
  const table = Buffer.alloc(24);
  table.writeBigInt64BE(BigInt(packets.length), 0);
  table.writeBigInt64BE(BigInt(packets.length * 1_024), 8);
  const sizes = packets.map(({ byteLength: size }) =>
    Buffer.from(size < 128 ? [size] : [0x80 | (size >> 7), size & 0x7f]),
  );
  const decoder = descriptor(4, Buffer.alloc(13), descriptor(5, aacConfigOf(adts)));
  return Buffer.concat([
    Buffer.from('caff\0\x01\0\0', 'latin1'),
    chunk('desc', description),
    chunk('kuki', descriptor(3, Buffer.alloc(3), decoder)),
    chunk('pakt', Buffer.concat([table, ...sizes])),
    chunk('data', Buffer.concat([Buffer.alloc(4), ...packets])),
  ]);
}
