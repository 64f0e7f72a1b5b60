import { makePlans, type Plan } from './plans.ts';
import type { SoakOptions } from './run.ts';
import type { Server } from './server.ts';
import { type Run, runPlan } from './traffic.ts';

export function mergeRuns(runs: readonly Run[]): Run {
  return {
    ended: runs.flatMap(({ ended }) => ended),
    resumes: runs.reduce((sum, run) => sum + run.resumes, 0),
    broken: runs.flatMap(({ broken }) => broken),
  };
}

type TrafficOptions = SoakOptions & { disturb: (at: number) => Promise<unknown> };

const plansAtOnce = 100;

/** The requests of all clients, in the order of their seed. */
export class Traffic {
  readonly #options: TrafficOptions;
  #plans: Plan[] = [];
  #chunks = 0;
  #sent = 0;

  constructor(options: TrafficOptions) {
    this.#options = options;
  }

  /** @param share of the length of the soak */
  run(server: Server, share: number): Promise<Run> {
    const { length } = this.#options;
    if ('requests' in length) return this.runSome(server, Math.round(length.requests * share));
    const endsAt = performance.now() + length.minutes * 60_000 * share;
    return this.#runWhile(server, () => performance.now() < endsAt);
  }

  runSome(server: Server, count: number): Promise<Run> {
    const until = this.#sent + count;
    return this.#runWhile(server, () => this.#sent < until);
  }

  async #runWhile(server: Server, goesOn: () => boolean): Promise<Run> {
    const runs: Run[] = [];
    const { clients, disturb, onProgress } = this.#options;
    const work = async () => {
      while (goesOn()) {
        const number = this.#sent;
        const plan = this.#next();
        await disturb(number);
        runs.push(await this.#runOne(server, plan, number));
        if (runs.length % 100 === 0) onProgress?.(`${this.#sent} requests were sent`);
      }
    };
    await Promise.all(Array.from({ length: clients }, work));
    return mergeRuns(runs);
  }

  async #runOne(server: Server, plan: Plan, number: number): Promise<Run> {
    try {
      return await runPlan(server, plan, number);
    } catch (error) {
      const broken = [`request ${number} ${JSON.stringify(plan)}: ${error}`];
      return { ended: [], resumes: 0, broken };
    }
  }

  #next(): Plan {
    const { seed, hasPauses } = this.#options;
    if (this.#plans.length === 0) {
      this.#plans = makePlans(seed + this.#chunks, plansAtOnce, hasPauses);
      this.#chunks += 1;
    }
    this.#sent += 1;
    const plan = this.#plans.shift();
    if (plan === undefined) throw new Error('No plan was made.');
    return plan;
  }
}

/** The faults of reads of the video service, one after the other, while lip-syncs are sent. */
const readFaults = [
  { path: '/videos*', method: 'GET', status: 503, times: 3 },
  { path: '/scheduler*', method: 'GET', action: 'cut', times: 3 },
  { path: '/videos*', method: 'GET', truncateAt: 40, status: 200, body: '[', times: 2 },
  { path: '/videos*', method: 'GET', action: 'hang', times: 1 },
  { path: '/scheduler*', method: 'GET', status: 502, body: '<html>Bad gateway</html>', times: 2 },
];

/** Requests between two faults. */
const disturbEvery = 15;

/** Lets reads of the video service fail at every fifteenth request. */
export async function disturb(origin: string, at: number): Promise<void> {
  if (at % disturbEvery !== disturbEvery - 1) return;
  const failPath = readFaults[Math.floor(at / disturbEvery) % readFaults.length];
  const response = await fetch(`${origin}/_sandbox/switches`, {
    method: 'PUT',
    body: JSON.stringify({ failPath }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`The sandbox refused the fault: ${text}`);
}
