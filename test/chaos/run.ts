import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { createGraphQLClient } from '../support/graphql-client.ts';
import type { Program } from '../support/program.ts';
import { Client } from './client.ts';
import { examineAll } from './examine.ts';
import { type Life, makePlan, spareLife } from './plan.ts';
import { points } from './points.ts';
import { Product } from './product.ts';
import { startUpstream, type Upstream } from './upstream.ts';
import type { Findings } from './verdict.ts';

export type ChaosOptions = {
  seed: number;
  /** At least one for each run: `kills` times the number of points. */
  lipsyncs: number;
  /** How often each point must be hit. */
  kills: number;
  /** For the embedded database and the files of the upstream. */
  dataDir: string;
  /** With PostgreSQL a second instance keeps running beside the one that is killed. */
  databaseUrl?: string | undefined;
  /** Whether the upstream's list of videos shows `replyRef`. The real one has never been seen to. */
  listsReplyRef: boolean;
  /** How long a job takes upstream, in milliseconds. */
  generatingMs: number;
  /** `MAX_JOB_MS`. */
  maxJobMs: number;
  /** No run starts after this; a started run is completed. */
  mostMs: number;
  /** Called after each run. */
  onLife?: (line: string) => void;
};

export type Outcome = {
  /** Per point, the number of unfinished lip-syncs at each kill. */
  kills: Map<string, number[]>;
  /** The broken promises, each with its lip-sync. Empty in a good run. */
  broken: string[];
  findings: Findings[];
  /** The output of the last runs. */
  output: string;
};

/** A run that lasts longer, in addition to the time of a job, has missed its point. */
const lifeMs = 20_000;

/** With more than this the program cannot be started. */
const mostSelfEnded = 3;

/** After the last kill, in addition to `maxJobMs`, the maximum search for a job. */
const restMs = 45_000;

/** Kills the product at every point repeatedly, lets it finish, and checks the result. */
export async function runChaos(options: ChaosOptions): Promise<Outcome> {
  const { dataDir, databaseUrl, generatingMs, maxJobMs, listsReplyRef } = options;
  const upstream = await startUpstream({
    dataDir: join(dataDir, 'upstream'),
    generatingMs,
    listsReplyRef,
  });
  const product = await Product.open({
    USEAPI_BASE_URL: upstream.baseUrl,
    USEAPI_TOKEN: upstream.token,
    ALLOW_ANONYMOUS: 'true',
    DATA_DIR: dataDir,
    ...(databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl }),
    POLL_INTERVAL_MS: '500',
    UPSTREAM_TIMEOUT_MS: '1500',
    MAX_JOB_MS: String(maxJobMs),
  });
  const run = new Run(options, { product, upstream });
  try {
    await run.killAll();
    return await run.look();
  } finally {
    await product.stop();
    await upstream.close();
  }
}

class Run {
  readonly #options: ChaosOptions;
  readonly #product: Product;
  readonly #upstream: Upstream;
  readonly #clients: Client[] = [];
  readonly #kills = new Map(points.map(({ name }) => [name, [] as number[]]));
  readonly #leaving = new AbortController();
  readonly #selfEnded: string[] = [];
  #videoIds: string[] = [];

  constructor(options: ChaosOptions, parts: { product: Product; upstream: Upstream }) {
    this.#options = options;
    this.#product = parts.product;
    this.#upstream = parts.upstream;
  }

  async killAll(): Promise<void> {
    const { seed, lipsyncs, kills, mostMs, onLife } = this.#options;
    const lives = makePlan({ seed, lipsyncs, kills });
    const until = performance.now() + mostMs;
    let number = lipsyncs;
    for (let count = 1; lives.length > 0 && performance.now() < until; count += 1) {
      const life = lives.shift() as Life;
      const end = await this.#live(life);
      if (end.wasKilled) this.#kills.get(life.point.name)?.push(end.open);
      else {
        lives.push(spareLife(life.point, number));
        number += 1;
      }
      const words = end.wasKilled ? `killed with ${end.open} under way` : 'outlived its death';
      onLife?.(`life ${count}, ${life.point.name} (hit ${life.nth}): ${words}`);
    }
  }

  /** Whether the run was killed at its point, and the number of unfinished lip-syncs at that time. */
  async #live(life: Life): Promise<{ wasKilled: boolean; open: number }> {
    const program = this.#product.live(life);
    // With a second instance, clients would not use one that does not listen yet.
    await Promise.race([program.url().catch(() => undefined), program.exited]);
    if (this.#videoIds.length === 0) this.#videoIds = await readVideoIds(await program.url());
    for (const request of life.requests) {
      this.#clients.push(
        new Client(request, {
          product: this.#product,
          seed: this.#options.seed,
          videoIds: this.#videoIds,
          signal: this.#leaving.signal,
        }),
      );
    }
    const atRest = Promise.all(this.#clients.map(({ done }) => done));
    const mostMs = lifeMs + this.#options.generatingMs;
    await Promise.race([program.exited, atRest, wait(mostMs, undefined, { ref: false })]);
    const open = this.#clients.filter(({ isDone }) => !isDone).length;
    const wasKilled = await this.#endOf(program);
    await this.#upstream.readJournal();
    return { wasKilled, open };
  }

  /** Whether the run was killed at its point; otherwise it is killed now. */
  async #endOf(program: Program): Promise<boolean> {
    const { exitCode, signalCode } = program.child;
    if (exitCode === null && signalCode === null) program.child.kill('SIGKILL');
    const { code, signal } = await program.exited;
    if (signal !== 'SIGKILL') {
      this.#selfEnded.push(`a life ended by itself with ${code ?? signal}: ${program.output}`);
      if (this.#selfEnded.length > mostSelfEnded) throw new Error(this.#selfEnded.join('\n'));
    }
    return program.lines.some(({ msg }) => msg === 'killed');
  }

  /** One more run, in which every lip-sync finishes, and then the check. */
  async look(): Promise<Outcome> {
    await this.#product.live(null).url();
    await Promise.race([
      Promise.all(this.#clients.map(({ done }) => done)),
      wait(this.#options.maxJobMs + restMs, undefined, { ref: false }),
    ]);
    this.#leaving.abort();
    const { findings, broken } = await examineAll(this.#clients, {
      product: this.#product,
      upstream: this.#upstream,
      listsReplyRef: this.#options.listsReplyRef,
    });
    const exits = await this.#product.stop();
    broken.push(
      ...this.#selfEnded,
      ...exits.filter((code) => code !== 0).map((code) => `SIGTERM ended it with ${code}`),
      ...this.#product.errors().map((line) => `it logged ${JSON.stringify(line)}`),
    );
    return { kills: this.#kills, broken, findings, output: this.#product.output() };
  }
}

async function readVideoIds(url: string): Promise<string[]> {
  const { data } = await createGraphQLClient(url).ask<{ videos: { nodes: { id: string }[] } }>(
    '{ videos(first: 100, filter: { statuses: [COMPLETED] }) { ... on VideoConnection { nodes { id } } } }',
  );
  const ids = data?.videos.nodes.map(({ id }) => id) ?? [];
  if (ids.length === 0) throw new Error('The upstream has no video to begin with.');
  return ids;
}
