import { Failure } from '../../../errors.ts';
import type { LipsyncDependencies } from '../dependencies.ts';
import { readWaitingCredits } from '../store/reserved-credits.ts';

/**
 * While a lip-sync with a known cost waits: reads the credits of the accounts again once they are a minute old. The
 * lip-sync may wait for credits, and otherwise only a new request would read them.
 */
export async function refreshCredits(deps: LipsyncDependencies): Promise<void> {
  if ((await readWaitingCredits(deps.db)).size === 0) return;
  try {
    await deps.accounts.guardCredits(await deps.accounts.listPresent());
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    deps.log.debug({ code: thrown.code }, 'the credits could not be read');
  }
}
