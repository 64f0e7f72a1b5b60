import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { createLog } from '../../src/log.ts';
import { findFreePort } from '../support/free-port.ts';
import { startCollector } from '../support/otlp-collector.ts';
import { openTestTracer } from '../support/tracers.ts';

/** A log in memory. */
function openLog() {
  const lines: { level: string; msg: string }[] = [];
  const write = (line: string) => void lines.push(JSON.parse(line));
  return { lines, log: createLog('info', { write }) };
}

const batch = {
  maxQueueSize: 50,
  maxExportBatchSize: 10,
  scheduledDelayMillis: 1,
  exportTimeoutMillis: 60_000,
};

describe('a collector that', () => {
  test('does not answer: at most the queue and one batch are in memory, and shutdown hardly waits', async () => {
    const held: ServerResponse[] = [];
    let received = 0;
    const server = createServer(async (request, response) => {
      const body = Buffer.concat((await request.toArray()) as Buffer[]).toString();
      received += body.split('"spanId"').length - 1;
      held.push(response);
      server.emit('held');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const { lines, log } = openLog();
    const tracer = await openTestTracer({ url: `http://127.0.0.1:${port}` }, { batch }, log);
    const isHeld = once(server, 'held');
    for (let at = 0; at < 10; at += 1) tracer.start('lipsync event', {}).end();
    await isHeld;
    for (let at = 0; at < 5_000; at += 1) tracer.start('lipsync event', {}).end();
    await tracer.close();
    expect(received).toBeLessThanOrEqual(batch.maxQueueSize + batch.maxExportBatchSize);
    expect(lines).toEqual([]);
    server.closeAllConnections();
    server.close();
  });

  test('rejects spans: that is logged once, and once more when it accepts them', async () => {
    let isRejecting = true;
    const server = createServer((request, response) => {
      request.resume();
      response.writeHead(isRejecting ? 400 : 200, { 'content-type': 'application/json' }).end('{}');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const { lines, log } = openLog();
    const tracer = await openTestTracer({ url: `http://127.0.0.1:${port}/key=secret` }, {}, log);
    for (let at = 0; at < 5; at += 1) {
      tracer.start('lipsync event', {}).end();
      await tracer.flush();
    }
    isRejecting = false;
    for (let at = 0; at < 3; at += 1) {
      tracer.start('lipsync event', {}).end();
      await tracer.flush();
    }
    await tracer.close();
    expect(lines.map(({ level, msg }) => `${level} ${msg}`)).toEqual([
      'warn traces cannot be sent; when the queue is full, further ones are dropped',
      'info traces are sent again',
    ]);
    expect(JSON.stringify(lines)).not.toContain('secret');
    server.closeAllConnections();
    server.close();
  });

  test('is unavailable: the traced work neither fails nor waits', async () => {
    const { lines, log } = openLog();
    const tracer = await openTestTracer(
      { url: `http://127.0.0.1:${await findFreePort()}` },
      {},
      log,
    );
    expect(await tracer.run('lipsync submit', {}, async () => 'done')).toBe('done');
    await tracer.close();
    expect(lines.length).toBeLessThanOrEqual(1);
  });
});

describe('which traces are recorded', () => {
  const unsampled = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00` };
  const sampled = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` };
  test.each([
    ['parentbased_always_on', 1, unsampled, false],
    ['parentbased_always_on', 1, null, true],
    ['parentbased_always_off', 1, sampled, true],
    ['parentbased_always_off', 1, null, false],
    ['parentbased_traceidratio', 0, sampled, true],
    ['parentbased_traceidratio', 0, null, false],
    ['parentbased_traceidratio', 1, null, true],
    ['traceidratio', 0, sampled, false],
    ['always_on', 1, unsampled, true],
    ['always_off', 1, sampled, false],
  ] as const)(
    '%s with %s: a caller that sends %j',
    async (...[sampler, samplerRatio, caller, isRecorded]) => {
      const collector = await startCollector();
      const tracer = await openTestTracer(collector, { sampler, samplerRatio });
      const span = tracer.start('mutation createLipsync', { caller });
      span.end();
      await tracer.close();
      await collector.close();
      expect(collector.spans).toHaveLength(isRecorded ? 1 : 0);
      // Later spans follow the flag in the row.
      expect(span.traceparent?.slice(-2)).toBe(isRecorded ? '01' : '00');
      if (caller !== null) expect(span.traceparent?.slice(3, 35)).toBe('a'.repeat(32));
    },
  );
});
