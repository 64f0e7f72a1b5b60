/**
 * The subscribers of a server, in a process of their own. It speaks `graphql-transport-ws` itself, because a client
 * library would do more work for each message than the servers that are compared.
 */
import { once } from 'node:events';
import { request } from 'node:http';
import { WebSocket } from 'ws';

export type Command =
  | { do: 'open'; url: string; count: number }
  | { do: 'subscribe'; url: string; from: number; to: number; payload: object }
  | { do: 'trigger'; url: string; post: string; marker: string; expected: number }
  | { do: 'close'; url: string; from: number };

type Connections = { sockets: WebSocket[]; onMessage: (data: Buffer) => void };
const connections = new Map<string, Connections>();
/** Connections that are opened at the same time: fewer than a listening socket queues. */
const batch = 100;
let lastId = 0;

/** Opens connections until there are `count`. */
async function open(url: string, count: number): Promise<void> {
  const all: Connections = connections.get(url) ?? { sockets: [], onMessage: () => undefined };
  connections.set(url, all);
  while (all.sockets.length < count) {
    const sockets = Array.from({ length: Math.min(batch, count - all.sockets.length) }, () => {
      const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
        perMessageDeflate: false,
      });
      socket.once('open', () => socket.send('{"type":"connection_init"}'));
      return socket;
    });
    await Promise.all(sockets.map((socket) => once(socket, 'message')));
    for (const socket of sockets) socket.on('message', (data) => all.onMessage(data as Buffer));
    all.sockets.push(...sockets);
  }
}

/** Resolves with the time at which the last of `expected` messages with the text came. */
function receive(url: string, marker: string, expected: number): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const all = connectionsOf(url);
  let left = expected;
  all.onMessage = (data) => {
    if (!data.includes(marker)) return;
    left -= 1;
    if (left === 0) resolve(performance.now());
  };
  return promise;
}

async function subscribe({ url, from, to, payload }: Command & { do: 'subscribe' }) {
  const text = JSON.stringify(payload);
  for (let start = from; start < to; start += batch) {
    const end = Math.min(start + batch, to);
    const started = receive(url, '"type":"next"', end - start);
    for (const socket of connectionsOf(url).sockets.slice(start, end)) {
      lastId += 1;
      socket.send(`{"id":"${lastId}","type":"subscribe","payload":${text}}`);
    }
    await started;
  }
}

/** The time from the request to the arrival of the event at the last subscriber, in milliseconds. */
async function trigger({ url, post, marker, expected }: Command & { do: 'trigger' }) {
  const arrived = receive(url, marker, expected);
  const startedAt = performance.now();
  const call = request(post, { method: 'POST', headers: { 'content-type': 'application/json' } });
  call.on('response', (response) => response.resume());
  call.end('{}');
  return (await arrived) - startedAt;
}

function connectionsOf(url: string): Connections {
  const found = connections.get(url);
  if (found === undefined) throw new Error(`No connections to ${url}.`);
  return found;
}

async function run(command: Command): Promise<number> {
  if (command.do === 'open') await open(command.url, command.count);
  if (command.do === 'subscribe') await subscribe(command);
  if (command.do === 'trigger') return trigger(command);
  if (command.do === 'close') {
    const { sockets } = connectionsOf(command.url);
    for (const socket of sockets.splice(command.from)) socket.terminate();
  }
  return 0;
}

process.on('message', async (command: Command) => {
  process.send?.(await run(command));
});
