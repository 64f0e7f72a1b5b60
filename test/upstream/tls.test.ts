import type { Socket } from 'node:net';
import tls from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { selfSigned } from './self-signed.ts';
import { connect, listen, secrets, serveTcp } from './servers.ts';

const trusted = tls.getCACertificates('default');

beforeAll(() => tls.setDefaultCACertificates([...trusted, selfSigned.cert]));
afterAll(() => tls.setDefaultCACertificates(trusted));

async function serveTls(onSocket: (socket: Socket) => void): Promise<string> {
  const server = tls.createServer(
    { ...selfSigned, ALPNProtocols: ['h2', 'http/1.1'] },
    (socket) => {
      socket.on('error', () => {});
      onSocket(socket);
    },
  );
  return `https://localhost:${await listen(server)}`;
}

const answer = 'HTTP/1.1 200 OK\r\ncontent-length: 16\r\n\r\n{"video_id":"v"}';

test('posts and reads use HTTP/1.1 over TLS, also if the server offers HTTP/2', async () => {
  const protocols: unknown[] = [];
  const baseUrl = await serveTls((socket) => {
    protocols.push((socket as tls.TLSSocket).alpnProtocol);
    socket.on('data', () => socket.write(answer));
  });
  const { upstream } = connect(baseUrl);
  expect(await upstream.postOnce('/videos/lipsync', {})).toMatchObject({ kind: 'answered' });
  const schema = z.object({ video_id: z.string() });
  expect(await upstream.read({ path: '/x', schema })).toEqual({ video_id: 'v' });
  expect(protocols).toEqual(['http/1.1', 'http/1.1']);
});

test('the outcome of a post is unknown if the connection ends after the handshake', async () => {
  const baseUrl = await serveTls((socket) => socket.once('data', () => socket.destroy()));
  expect(await connect(baseUrl).upstream.postOnce('/videos/lipsync', {})).toMatchObject({
    kind: 'unknown',
  });
});

test('a post reported as not sent is not sent later, when the handshake ends after the timeout', async () => {
  let received = '';
  const { promise: isOver, resolve: over } = Promise.withResolvers<void>();
  const { promise: isTimedOut, resolve: timeOut } = Promise.withResolvers<void>();
  const served = await serveTcp((raw) => {
    raw.on('close', () => over());
    void isTimedOut.then(() => {
      const socket = new tls.TLSSocket(raw, { ...selfSigned, isServer: true });
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        received += String(chunk);
      });
    });
  });
  const { upstream } = connect(`https://localhost:${served.port}`, { timeoutMs: 50 });
  const outcome = await upstream.postOnce('/videos/lipsync', { replyRef: secrets.path });
  timeOut();
  expect(outcome).toMatchObject({ kind: 'not-sent', failure: { reason: 'TIMEOUT' } });
  await isOver;
  expect(received).toBe('');
});
