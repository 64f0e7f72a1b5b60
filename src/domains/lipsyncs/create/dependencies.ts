import { createCreditEstimates, type EstimateCredits } from '../credits/estimate.ts';
import type { LipsyncDependencies } from '../dependencies.ts';
import type { LogWatcher } from '../progress/log-watcher.ts';
import { type Admit, createAdmission, type OnQueued } from './admit.ts';
import { createEarlierSearch, type FindEarlier } from './earlier.ts';

/** What the functions of this folder use. One set for each process: its parts group the requests of all callers. */
export type CreateDependencies = LipsyncDependencies & {
  readonly watcher: LogWatcher;
  readonly findEarlier: FindEarlier;
  readonly admit: Admit;
  readonly estimateCredits: EstimateCredits;
};

export function withAdmission(
  deps: LipsyncDependencies,
  { watcher, onQueued }: { watcher: LogWatcher; onQueued: OnQueued },
): CreateDependencies {
  return {
    ...deps,
    watcher,
    findEarlier: createEarlierSearch(deps),
    admit: createAdmission(deps, onQueued),
    estimateCredits: createCreditEstimates(deps),
  };
}
