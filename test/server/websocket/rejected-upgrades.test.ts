import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestStorage, testStorage } from '../../support/database.ts';
import { sendRequest } from '../../support/http.ts';
import { type Program, startProgram } from '../../support/program.ts';

let storage: TestStorage;
let program: Program;
let url: string;
beforeAll(async () => {
  storage = await testStorage();
  // A separate process: the test checks that it stays alive.
  program = startProgram({ PORT: '0', DATA_DIR: storage.dataDir, LOG_LEVEL: 'debug' });
  url = await program.url();
});
afterAll(async () => {
  await program?.kill('SIGTERM');
  await storage?.remove();
});

/** Requests an upgrade and resets the connection before the rejection can be written. */
async function upgradeAndReset(path: string, headers: string): Promise<void> {
  const { hostname, port, host } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  const head = `GET ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: upgrade\r\n${headers}\r\n\r\n`;
  await new Promise<void>((resolve) => socket.write(head, () => resolve()));
  socket.resetAndDestroy();
  await once(socket, 'close');
}

describe('works', () => {
  // Java's and other HTTP clients offer HTTP/2 in each of their first requests.
  it.each(['h2c', 'TLS/1.0', 'x', 'h2c, websocket'])(
    'a request that offers to upgrade to %s is served as it is',
    async (upgrade) => {
      const { status, headers, text } = await sendRequest(url, {
        method: 'POST',
        path: '/graphql',
        headers: { 'content-type': 'application/json', connection: 'upgrade', upgrade },
        body: '{"query":"{ viewer { name } }"}',
      });
      expect([status, JSON.parse(text).data]).toEqual([200, { viewer: { name: 'anonymous' } }]);
      expect(headers.upgrade).toBeUndefined();
    },
  );
});

describe('keeps out', () => {
  // Node gives the socket to the upgrade listener: an error without a listener ended the process.
  it.each([
    ['an unknown path', '/nowhere', 'upgrade: websocket'],
    ['a foreign page', '/graphql', 'upgrade: websocket\r\norigin: https://elsewhere.example'],
    ['an invalid handshake', '/graphql', 'upgrade: websocket\r\nsec-websocket-version: 1'],
  ])(
    'clients that reset a rejected upgrade (%s) from ending the process',
    async (_, path, headers) => {
      for (let round = 0; round < 20; round += 1) {
        await Promise.all(Array.from({ length: 10 }, () => upgradeAndReset(path, headers)));
      }
      expect((await fetch(`${url}/livez`)).status).toBe(200);
      expect(program.child.exitCode).toBeNull();
      expect(program.output).not.toContain('Unhandled');
    },
  );
});
