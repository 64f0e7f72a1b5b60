import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type HostRules, isAllowedHost, isValidHost } from '../../../src/server/http/host.ts';
import { startTestApp, type TestApp } from '../../support/app.ts';
import { sendRequest } from '../../support/http.ts';
import { statusOfUpgrade } from '../../support/raw-websocket.ts';

let it: TestApp;
beforeAll(async () => {
  const env = { ALLOWED_HOSTS: 'Lipsync.Local, other', PUBLIC_URL: 'https://lipsync.example/api' };
  it = await startTestApp({ env });
});
afterAll(() => it?.stop());

const paths = ['/', '/graphql', '/metrics', '/livez', '/readyz', '/nothing', '/uploads/x'];

const upgrade = (host: string) => statusOfUpgrade(it.url, { headers: { host } });

describe('keeps out', () => {
  test.each([
    'evil.example',
    'evil.example:4000',
    'localhost.evil.example',
    '10.0.0.1',
    'other.local',
  ])('the host %s on every path and method, and from an upgrade', async (host) => {
    for (const path of [...paths, '/graphql?query={viewer{name}}']) {
      for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS']) {
        const { status, text } = await sendRequest(it.url, { method, path, headers: { host } });
        expect([path, method, status]).toEqual([path, method, 421]);
        expect(JSON.parse(text).errors[0].extensions.code).toBe('UNKNOWN_HOST');
      }
    }
    expect(await upgrade(host)).toBe(421);
  });

  // A name such as that of the machine often resolves to a loopback address. This one does on every system.
  test('foreign hosts where HOST is a name for a loopback address', async () => {
    await using named = await startTestApp({ env: { HOST: '127.1' } });
    const statusFor = async (host: string) =>
      (await sendRequest(named.url, { path: '/livez', headers: { host } })).status;
    expect(await statusFor('evil.example')).toBe(421);
    expect(await statusFor('127.1')).toBe(200);
  });

  test('two Host headers, also equal ones', async () => {
    const { port, hostname } = new URL(it.url);
    for (const path of ['/livez', '/graphql', '/metrics']) {
      const socket = connect(Number(port), hostname);
      const hosts = 'host: localhost\r\nHost: localhost\r\n';
      socket.end(`GET ${path} HTTP/1.1\r\n${hosts}connection: close\r\n\r\n`);
      const received = (await socket.toArray()).join('');
      expect(received).toMatch(/^HTTP\/1\.1 400 /);
      expect(received).toContain('"BAD_REQUEST"');
    }
  });
});

describe('works', () => {
  test.each([
    ...['localhost', 'LOCALHOST:1', 'localhost.', '127.0.0.1', '127.1.2.3:80', '[::1]:4000'],
    ...['lipsync.local', 'LIPSYNC.local:8080', 'other', 'lipsync.example', 'lipsync.example:8443'],
  ])('the host %s is a name of the server', async (host) => {
    expect((await sendRequest(it.url, { path: '/livez', headers: { host } })).status).toBe(200);
    expect(await upgrade(host)).toBe(101);
  });

  test('a server on another address has any name', () => {
    const rules: HostRules = {
      listensOn: () => '0.0.0.0',
      publicUrl: () => 'http://127.0.0.1:4000',
      allowedHosts: [],
    };
    expect(isAllowedHost('evil.example', rules)).toBe(true);
    for (const address of ['127.0.0.1', '127.0.0.9', '::1', '::ffff:127.0.0.1']) {
      const loopback = { ...rules, listensOn: () => address };
      expect(isAllowedHost('evil.example', loopback)).toBe(false);
      expect(isAllowedHost(undefined, loopback)).toBe(true);
    }
  });

  test('a request target in absolute form is served like its path', async () => {
    const path = 'http://localhost/graphql?query={viewer{name}}';
    const { status, text } = await sendRequest(it.url, { path });
    expect([status, JSON.parse(text).data]).toEqual([200, { viewer: { name: 'anonymous' } }]);
    const post = {
      method: 'POST',
      path: `${it.url}/graphql`,
      headers: { 'content-type': 'application/json' },
      body: '{"query":"{ viewer { name } }"}',
    };
    expect((await sendRequest(it.url, post)).status).toBe(200);
  });
});

describe('refuses', () => {
  test.each([
    '',
    'a b',
    'a@localhost',
    'localhost/x',
    'localhost:x',
    '[::1',
    'a:b:c',
    '%6cocalhost',
    '999.1.1.1',
  ])('the invalid host %o', (host) => {
    expect(isValidHost(host)).toBe(false);
  });
});
