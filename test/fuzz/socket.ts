import { WebSocket } from 'ws';
import type { Outcome } from './judge.ts';

const patienceMs = 20_000;
const quietMs = 120;

export type SocketTalk = {
  /** The payload of `connection_init`; undefined omits it. */
  init: unknown;
  /** The messages after the acknowledgement. */
  messages: readonly (string | Buffer)[];
  protocol: string;
};

/** Sends messages over a WebSocket and disconnects once it has been quiet for a while. */
export function talk(url: string, { init, messages, protocol }: SocketTalk): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/graphql`, protocol);
  const frames: string[] = [];
  let isOpen = false;
  let isAcknowledged = false;
  const end = (more: Partial<Outcome> = {}) => {
    clearTimeout(timer);
    socket.terminate();
    resolve({ status: null, text: frames.join('\n'), ...more });
  };
  let timer = setTimeout(() => end({ broken: 'it hangs' }), patienceMs);
  const listenOn = () => {
    clearTimeout(timer);
    timer = setTimeout(end, quietMs);
  };
  const say = () => {
    isAcknowledged = true;
    for (const message of messages) socket.send(message);
    listenOn();
  };
  socket.on('open', () => {
    isOpen = true;
    if (init === undefined) say();
    else socket.send(JSON.stringify({ type: 'connection_init', payload: init }));
  });
  socket.on('message', (data) => {
    frames.push(String(data));
    if (!isAcknowledged) say();
    else if (/"type":"(complete|error)"/.test(String(data)) && messages.length === 1) end();
    else listenOn();
  });
  socket.on('unexpected-response', (_request, response) =>
    end({ status: response.statusCode ?? 0 }),
  );
  // `ws` itself ends a handshake with a wrong subprotocol.
  socket.on('error', () => isOpen || end());
  socket.on('close', (code) => end({ closeCode: code }));
  return promise;
}
