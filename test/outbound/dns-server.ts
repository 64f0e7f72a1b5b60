import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { vi } from 'vitest';

export type DnsQuery = { name: string; type: 'A' | 'AAAA' };

/** A record: an address, or the name that a CNAME leads to. */
type Answer = readonly string[] | null;

const typeNumbers = { A: 1, CNAME: 5, AAAA: 28 } as const;

/** A caller's DNS server over UDP. @param answer the records of a query; null: no answer, ever */
export async function openDnsServer(answer: (query: DnsQuery, n: number) => Answer) {
  const queries: DnsQuery[] = [];
  const socket = createSocket('udp4', (message, { address, port }) => {
    const { query, question } = readQuestion(message);
    queries.push(query);
    const records = answer(query, queries.length);
    if (records === null) return;
    const header = Buffer.alloc(12);
    header.set(message.subarray(0, 2));
    // A recursive answer without an error.
    header.writeUInt16BE(0x8180, 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(records.length, 6);
    socket.send(Buffer.concat([header, question, ...encodeRecords(query, records)]), port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    queries,
    servers: [`127.0.0.1:${socket.address().port}`],
    until: (names: readonly string[]) =>
      vi.waitFor(
        () => {
          const missing = names.filter((name) => queries.every((query) => query.name !== name));
          if (missing.length > 0) throw new Error(`No query for ${missing.join(', ')}.`);
        },
        { timeout: 60_000, interval: 10 },
      ),
    close: () => void socket.close(),
  };
}

function readQuestion(message: Buffer): { query: DnsQuery; question: Buffer } {
  const labels: string[] = [];
  let at = 12;
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const type = message.readUInt16BE(at + 1) === typeNumbers.AAAA ? 'AAAA' : 'A';
  const query = { name: labels.join('.').toLowerCase(), type } as const;
  return { query, question: message.subarray(12, at + 5) };
}

/** Each record belongs to the name before it, so that CNAMEs make a chain. */
function encodeRecords({ name, type }: DnsQuery, records: readonly string[]): Buffer[] {
  let owner = name;
  return records.map((record) => {
    const isAddress = /^[\d.]+$|:/.test(record);
    const data = isAddress ? encodeAddress(record) : encodeName(record);
    const head = Buffer.alloc(10);
    head.writeUInt16BE(typeNumbers[isAddress ? type : 'CNAME'], 0);
    head.writeUInt16BE(1, 2);
    head.writeUInt16BE(data.length, 8);
    const encoded = Buffer.concat([encodeName(owner), head, data]);
    if (!isAddress) owner = record;
    return encoded;
  });
}

function encodeName(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)]));
  return Buffer.concat([...labels, Buffer.from([0])]);
}

/** IPv6 addresses in full, without `::`. */
function encodeAddress(text: string): Buffer {
  if (!text.includes(':')) return Buffer.from(text.split('.').map(Number));
  return Buffer.from(
    text
      .split(':')
      .map((part) => part.padStart(4, '0'))
      .join(''),
    'hex',
  );
}
