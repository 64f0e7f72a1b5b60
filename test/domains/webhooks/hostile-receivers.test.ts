import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { WebhookProblem } from '../../../src/domains/webhooks/service.ts';
import { openReceiver, type Receiver } from './webhook-receiver.ts';
import { isFinished, startWebhooks, type TestWebhooks } from './webhook-service.ts';

/** Ends an attempt after half a second. */
let impatient: TestWebhooks;
/** For receivers that end it themselves, however slow this machine is. */
let patient: TestWebhooks;
/** A server that a receiver could lead to. */
let inside: Receiver;
const closers: (() => unknown)[] = [];

const start = (timeoutMs: number) =>
  startWebhooks({
    allowedNetworks: ['127.0.0.2'],
    timeoutMs,
    delaysMs: [],
    resolve: async () => [{ address: '127.0.0.2', family: 4 }],
  });

beforeAll(async () => {
  impatient = await start(500);
  patient = await start(60_000);
  inside = await openReceiver();
});
afterEach(() => {
  for (const close of closers.splice(0)) close();
});
afterAll(async () => {
  inside.close();
  await impatient.close();
  await patient.close();
});

/** Sends what `attack` writes to each connection, whatever arrives. */
async function openHostile(attack: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => attack(socket));
  });
  server.listen(0, '127.0.0.2');
  await once(server, 'listening');
  closers.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

/** Writes without end, as fast as the other side reads. */
function flood(socket: Socket, chunk: string): void {
  const write = () => {
    while (!socket.destroyed && socket.write(chunk));
  };
  socket.on('drain', write);
  write();
}

/** Writes a piece every few milliseconds, so that no timeout between two pieces ends it. */
function drip(socket: Socket, piece: string): void {
  const timer = setInterval(() => socket.write(piece), 20);
  socket.once('close', () => clearInterval(timer));
}

const ok = 'HTTP/1.1 200 OK\r\n';
const delivered = { state: 'DELIVERED', lastStatus: 200, lastProblem: null };
const failed = (lastProblem: WebhookProblem, lastStatus: number | null = null) => ({
  ...{ state: 'FAILED', lastProblem, lastStatus },
});
const redirect = (status: number, location: string) =>
  `HTTP/1.1 ${status} Moved\r\nlocation: ${location}\r\ncontent-length: 0\r\n\r\n`;

type Expected = { state: string; lastProblem: WebhookProblem | null; lastStatus: number | null };
type Row = [name: string, attack: (socket: Socket) => void, expected: Expected];

const rows: Row[] = [
  ['says nothing', () => undefined, failed('TIMEOUT')],
  ['ends the connection', (socket) => socket.end(), failed('CONNECTION_FAILED')],
  ['resets the connection', (socket) => socket.resetAndDestroy(), failed('CONNECTION_FAILED')],
  ['sends something else', (socket) => socket.end('SSH-2.0-x\r\n'), failed('CONNECTION_FAILED')],
  ['sends half of its head', (socket) => socket.write(ok), failed('TIMEOUT')],
  [
    'sends its head one header at a time, without end',
    (socket) => {
      socket.write(ok);
      drip(socket, 'x: y\r\n');
    },
    failed('TIMEOUT'),
  ],
  [
    'sends headers without end',
    (socket) => {
      socket.write(ok);
      flood(socket, `x: ${'y'.repeat(10_000)}\r\n`);
    },
    failed('CONNECTION_FAILED'),
  ],
  [
    'sends interim responses without end',
    (socket) => drip(socket, 'HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n'),
    failed('TIMEOUT'),
  ],
  [
    'sends a body without end',
    (socket) => {
      socket.write(`${ok}content-length: 99999999999\r\n\r\n`);
      flood(socket, 'x'.repeat(65_536));
    },
    delivered,
  ],
  [
    'sends a body byte by byte',
    (socket) => {
      socket.write(`${ok}content-length: 99999999999\r\n\r\n`);
      drip(socket, 'x');
    },
    delivered,
  ],
  [
    'sends a body that is not compressed as its head says',
    (socket) => socket.end(`${ok}content-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc`),
    delivered,
  ],
  [
    'switches protocols',
    (socket) => socket.write('HTTP/1.1 101 X\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n'),
    failed('CONNECTION_FAILED'),
  ],
  ...[301, 302, 303, 307, 308].map(
    (status): Row => [
      `redirects with ${status} to a private address`,
      (socket) => socket.end(redirect(status, inside.url)),
      failed('REDIRECTED', status),
    ],
  ),
];

describe('keeps out', () => {
  it.each(rows)('a receiver that %s', async (_, attack, expected) => {
    const port = await openHostile(attack);
    const service = expected.lastProblem === 'TIMEOUT' ? impatient : patient;
    const change = await service.changeLipsync(`http://hostile.test:${port}/`);
    const delivery = await service.waitForDelivery(change, isFinished);
    expect(delivery).toMatchObject({ attempts: 1, ...expected });
    expect(inside.received).toEqual([]);
    await service.db.query('delete from webhook_receivers');
  });
});
