import { lookup } from 'node:dns/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { createHostResolver } from '../../src/outbound/resolve.ts';
import { openReceiver } from '../domains/webhooks/webhook-receiver.ts';
import {
  isFinished,
  startWebhooks,
  type TestWebhookOptions,
} from '../domains/webhooks/webhook-service.ts';
import { findFreePort } from '../support/free-port.ts';
import { type DnsQuery, openDnsServer } from './dns-server.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const hourMs = 3_600_000;

/** The records by the name and type of the query, or by the name. Other queries have no answer. */
type Zone = Record<string, readonly string[]>;

const answerFrom =
  (zone: Zone) =>
  ({ name, type }: DnsQuery) =>
    zone[`${name} ${type}`] ?? zone[name] ?? null;

async function openResolver(
  answer: Parameters<typeof openDnsServer>[0],
  allowedNames: string[] = [],
) {
  const dns = await openDnsServer(answer);
  closers.push(dns.close);
  const isAllowedName = (name: string) => allowedNames.includes(name);
  return { dns, resolve: createHostResolver({ isAllowedName, servers: dns.servers }) };
}

/** The service with this DNS server. */
async function start(
  answer: Parameters<typeof openDnsServer>[0],
  { allowedNames, ...options }: TestWebhookOptions & { allowedNames?: string[] } = {},
) {
  const { dns, resolve } = await openResolver(answer, allowedNames);
  const service = await startWebhooks({ delaysMs: [], ...options, resolve });
  closers.push(service.close);
  return { dns, service };
}

const receive: typeof openReceiver = async (...options) => {
  const receiver = await openReceiver(...options);
  closers.push(receiver.close);
  return receiver;
};

const activeResources = () => process.getActiveResourcesInfo();

describe('works', () => {
  it.each<[string, Zone]>([
    ['an A record', { 'hooks.test A': ['127.0.0.1'], 'hooks.test AAAA': [] }],
    ['a CNAME', { 'hooks.test A': ['a.test', 'b.test', '127.0.0.1'], 'hooks.test AAAA': [] }],
    ['an AAAA record', { 'hooks.test A': [], 'hooks.test AAAA': ['0:0:0:0:0:ffff:7f00:1'] }],
    ['a server that ignores AAAA queries', { 'hooks.test A': ['127.0.0.1'] }],
  ])('sends to a name with %s', async (_, zone) => {
    const { service } = await start(answerFrom(zone));
    const receiver = await receive();
    const change = await service.changeLipsync(`http://hooks.test:${receiver.port}/`);
    expect(await service.waitForDelivery(change, isFinished)).toMatchObject({ state: 'DELIVERED' });
    expect(receiver.received[0]?.headers.host).toBe(`hooks.test:${receiver.port}`);
  });

  it('sends to localhost and its subdomains without a DNS query', async () => {
    const { dns, service } = await start(answerFrom({}));
    const receiver = await receive();
    for (const host of ['localhost', 'app.localhost', 'LOCALHOST.']) {
      const change = await service.changeLipsync(`http://${host}:${receiver.port}/`);
      await service.waitForDelivery(change, isFinished);
    }
    expect(receiver.received).toHaveLength(3);
    expect(dns.queries).toEqual([]);
  });

  it('leaves a name that the operator allowed to the system', async () => {
    const { dns, service } = await start(answerFrom({}), { allowedNames: ['hooks.invalid'] });
    const change = await service.changeLipsync('http://hooks.invalid/');
    expect(await service.waitForDelivery(change, isFinished)).toMatchObject({
      lastProblem: 'NO_PUBLIC_ADDRESS',
    });
    expect(dns.queries).toEqual([]);
  });

  // Four such names once stopped every name resolution of the process for 20 seconds and more.
  it("resolves the process's own names while callers' DNS servers never answer", async () => {
    const { dns, service } = await start(() => null, { timeoutMs: hourMs });
    const names = Array.from({ length: 8 }, (_, n) => `n${n}.test`);
    const stuck = await Promise.all(
      names.map((name) => service.changeLipsync(`http://${name}/`, { owner: `key:${name}` })),
    );
    await dns.until(names);
    expect(activeResources()).not.toContain('GetAddrInfoReqWrap');
    expect(await lookup('localhost')).toMatchObject({ address: expect.any(String) });
    const receiver = await receive();
    const change = await service.changeLipsync(receiver.url);
    expect(await service.waitForDelivery(change, isFinished)).toMatchObject({ state: 'DELIVERED' });
    for (const { owner, id } of stuck) {
      expect(await service.findDelivery(owner, id)).toMatchObject({ state: 'PENDING' });
    }
  });

  it('reports TIMEOUT for a DNS server that does not answer', async () => {
    const { service } = await start(() => null, { timeoutMs: 300 });
    const change = await service.changeLipsync('http://slow.test/');
    expect(await service.waitForDelivery(change, isFinished)).toMatchObject({
      lastProblem: 'TIMEOUT',
    });
  });

  it('ends the queries with the attempt', async () => {
    const { dns, resolve } = await openResolver(() => null);
    const attempt = new AbortController();
    const resolved = resolve('slow.test', attempt.signal);
    await dns.until(['slow.test']);
    attempt.abort();
    // Its own time limit is above that of this test.
    expect(await resolved).toEqual([]);
  });
});

describe('keeps out', () => {
  it.each<[string, Zone]>([
    ['an A record', { 'in.test A': ['127.0.0.1'], 'in.test AAAA': [] }],
    ['an AAAA record', { 'in.test A': [], 'in.test AAAA': ['0:0:0:0:0:0:0:1'] }],
    ['a mapped AAAA record', { 'in.test A': [], 'in.test AAAA': ['0:0:0:0:0:ffff:7f00:1'] }],
    ['a NAT64 AAAA record', { 'in.test A': [], 'in.test AAAA': ['64:ff9b:0:0:0:0:7f00:1'] }],
    ['a CNAME to localhost', { 'in.test A': ['localhost', '127.0.0.1'], 'in.test AAAA': [] }],
    ['several records', { 'in.test A': ['127.0.0.1', '10.0.0.1', '0.0.0.0'], 'in.test AAAA': [] }],
    ['metadata', { 'in.test A': ['169.254.169.254'], 'in.test AAAA': [] }],
  ])('a name that leads to a private address by %s', async (_, zone) => {
    const { service } = await start(answerFrom(zone), { allowedNetworks: [] });
    const receiver = await receive(undefined, { host: '::' });
    const change = await service.changeLipsync(`http://in.test:${receiver.port}/`);
    expect(await service.waitForDelivery(change, isFinished)).toMatchObject({
      lastProblem: 'NO_PUBLIC_ADDRESS',
    });
    expect(receiver.received).toEqual([]);
  });

  it('a private address that the DNS server gives to the second query (DNS rebinding)', async () => {
    let queries = 0;
    const { service } = await start(
      ({ type }) => (type === 'AAAA' ? [] : [queries++ === 0 ? '127.0.0.2' : '127.0.0.1']),
      { allowedNetworks: ['127.0.0.2'], delaysMs: [0] },
    );
    const port = await findFreePort();
    const outside = await receive((response) => void response.writeHead(500).end(), {
      host: '127.0.0.2',
      port,
    });
    const inside = await receive(undefined, { host: '127.0.0.1', port });
    const change = await service.changeLipsync(`http://rebind.test:${port}/`);
    expect(await service.waitForDelivery(change, isFinished)).toMatchObject({
      attempts: 2,
      lastProblem: 'NO_PUBLIC_ADDRESS',
    });
    expect(outside.received).toHaveLength(1);
    expect(inside.received).toEqual([]);
  });

  it('a flood of connections to the many addresses of one name', async () => {
    const many = Array.from({ length: 30 }, (_, n) => `192.0.2.${n}`);
    const { resolve } = await openResolver(({ type }) => (type === 'A' ? many : []));
    expect(await resolve('many.test', new AbortController().signal)).toHaveLength(4);
  });
});
