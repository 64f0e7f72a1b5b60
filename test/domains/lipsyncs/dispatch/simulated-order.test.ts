import { afterAll, beforeAll, expect, it } from 'vitest';
import { createQueue, type Job } from '../../../../bench/simulation/queue.ts';
import { createRandom } from '../../../../bench/simulation/random.ts';
import type { Database } from '../../../../src/database/connect.ts';
import { readNextOfEachOwner } from '../../../../src/domains/lipsyncs/store/queue.ts';
import { testDatabase } from '../../../support/database.ts';

let db: Database;
beforeAll(async () => {
  db = await testDatabase();
});
afterAll(() => db.close());

const owners = 5;

async function add(owner: number): Promise<void> {
  await db.query(
    `insert into lipsyncs (id, owner, status, sequence, fingerprint, created_at)
     values (gen_random_uuid(), $1, 'QUEUED', 1, 'none', now())`,
    [`owner ${owner}`],
  );
}

/** Sends the first in line, and returns its owner. */
async function take(turn: number): Promise<string | undefined> {
  const [next] = await readNextOfEachOwner(db, new Date());
  if (next === undefined) return undefined;
  const [row] = await db.query<{ owner: string }>(
    `update lipsyncs set status = 'SUBMITTED', holds_slot = true, turn = $2 where id = $1
     returning owner`,
    [next.id, turn],
  );
  return row?.owner;
}

async function release(owner: number): Promise<void> {
  await db.query(
    `update lipsyncs set status = 'COMPLETED', holds_slot = false, finished_at = now()
     where id = (select id from lipsyncs where owner = $1 and holds_slot limit 1)`,
    [`owner ${owner}`],
  );
}

it('the simulated day serves owners in the order of the queue', async () => {
  const random = createRandom(7);
  const simulated = createQueue('fair', owners);
  const running: number[] = [];
  const served: (string | undefined)[] = [];
  const expected: (string | undefined)[] = [];

  async function addSome(step: number): Promise<void> {
    const owner = Math.floor(random.next() ** 2 * owners);
    await add(owner);
    simulated.add({ owner } as Job, step);
  }
  async function takeNext(step: number): Promise<void> {
    const job = simulated.take();
    expected.push(job === null ? undefined : `owner ${job.owner}`);
    served.push(await take(step));
    if (job !== null) running.push(job.owner);
  }
  async function releaseOne(): Promise<void> {
    const [owner] = running.splice(Math.floor(random.next() * running.length), 1);
    if (owner === undefined) return;
    await release(owner);
    simulated.release(owner);
  }

  for (let step = 1; step <= 300; step += 1) {
    const choice = random.next();
    if (choice < 0.45) await addSome(step);
    else if (choice < 0.75) await takeNext(step);
    else await releaseOne();
  }
  expect(new Set(expected).size).toBe(owners);
  expect(served).toEqual(expected);
});
