import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { createGraphQLClient } from '../support/graphql-client.ts';
import type { Program } from '../support/other-upstream-process.ts';
import { Client } from './client.ts';
import { examineAll } from './examine.ts';
import { type Life, makePlan, spareLife } from './plan.ts';
import { points } from './points.ts';
import { Product } from './product.ts';
import { startUpstream, type Upstream } from './upstream.ts';
import type { Findings } from './verdict.ts';

export type ChaosOptions = {
  seed: number;
  /** At least one for each life: `kills` times the number of points. */
  lipsyncs: number;
  /** How often each point must be hit. */
  kills: number;
  /** For the embedded database, and for what the upstream keeps. */
  dataDir: string;
  /** A PostgreSQL: then a second instance lives on beside the one that is killed. */
  databaseUrl?: string | undefined;
  /** Whether the upstream's list of videos tells what they were made for. Nobody has seen that it does. */
  listsReplyRef: boolean;
  /** How long a job takes upstream, in milliseconds. */
  generatingMs: number;
  /** `MAX_JOB_MS`. */
  maxJobMs: number;
  /** No life begins after this; what has begun is seen to its end. */
  mostMs: number;
  /** Told after each life. */
  onLife?: (line: string) => void;
};

export type Outcome = {
  /** Per point, how many lip-syncs were under way at each kill. */
  kills: Map<string, number[]>;
  /** What was broken, each with the lip-sync it concerns. Empty is what is hoped for. */
  broken: string[];
  findings: Findings[];
  /** What the last lives wrote. */
  output: string;
};

/** A life that is not over by then, on top of the time that a job takes, has missed its death. */
const lifeMs = 20_000;

/** More than this is no accident: the program can't be started at all. */
const mostSelfEnded = 3;

/** After the last kill, on top of `maxJobMs`, which a lip-sync without a trace is looked for. */
const restMs = 45_000;

/** Kills the product at every point again and again, lets it come to rest, and looks at what is left. */
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

  /** Whether it was killed where it should be, and how many lip-syncs were under way then. */
  async #live(life: Life): Promise<{ wasKilled: boolean; open: number }> {
    const program = this.#product.live(life);
    // Where another instance lives on, nobody would ask one that does not listen yet.
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

  /** Whether it died where it should; one that lives on is killed now. */
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

  /** One more life, in which everything comes to rest, and then a look at what is left. */
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
    '{ videos(first: 100, filter: { status: [COMPLETED] }) { ... on VideoConnection { nodes { id } } } }',
  );
  const ids = data?.videos.nodes.map(({ id }) => id) ?? [];
  if (ids.length === 0) throw new Error('The upstream has no video to begin with.');
  return ids;
}
