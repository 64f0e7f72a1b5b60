import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { watchLipsync } from 'lipsync-graphql-client';
import { expect, test } from 'vitest';
import { quick, transports } from './client-stage.ts';
import { event, type Step, startScripted } from './scripted.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** What is held when everything that may go is gone. */
async function measure() {
  // What has just ended lets go a turn later.
  await new Promise(setImmediate);
  collect();
  const resources = process.getActiveResourcesInfo().filter((name) => name !== 'Immediate');
  return { bytes: process.memoryUsage().heapUsed, resources: resources.length };
}

const warm = 100;
const last = 400;
/** Measured: some 700, of which the test's own server keeps 500. A socket, a parser or an inbox is more. */
const mostBytesEach = 4_000;

test.each(transports)('hundreds of resumes over $name leave nothing behind', async ({ make }) => {
  const steps = Array.from(
    { length: last },
    (_, at): Step =>
      (stream) => {
        stream.next(event(at + 1, at + 1 === last ? 'COMPLETED' : 'GENERATING'));
        stream.end();
      },
  );
  await using server = await startScripted(...steps);
  const target = { url: server.url, transport: make(), backOff: { ...quick, mostMs: 1 } };
  const { signal } = new AbortController();
  let before = { bytes: 0, resources: 0 };
  for await (const update of watchLipsync(target, 'a lip-sync', { signal })) {
    if ('sequence' in update && update.sequence === warm) before = await measure();
  }
  const after = await measure();
  expect(server.asked.length).toBe(last);
  expect(after.resources).toBeLessThanOrEqual(before.resources);
  expect((after.bytes - before.bytes) / (last - warm)).toBeLessThan(mostBytesEach);
});
