import { setTimeout as wait } from 'node:timers/promises';
import { QuotaExceededError } from '../../errors.ts';

type Options = {
  /** @throws QuotaExceededError if the owner's budget has less */
  spend: (owner: string, cost: number) => Promise<unknown> | null;
  /** The budget of one owner. A more expensive event costs this much. */
  costPerMinute: number;
  /** For tests. Default: a timer. */
  waitSeconds?: ((seconds: number) => Promise<void>) | undefined;
};

type Charge = { cost: number; isOpen: () => boolean; proceed: () => void };

/**
 * Charges for the events of open streams. A stream whose owner has used up its budget waits until the budget has refilled,
 * and loses nothing: its next events wait in the log. Charges of one owner are paid in their order. Those that arrive while
 * the database is queried are paid together by its next statement.
 */
export class EventCharges {
  readonly #options: Options;
  readonly #byOwner = new Map<string, Charge[]>();

  constructor(options: Options) {
    this.#options = options;
  }

  /** Resolves when the event is paid, or its stream has closed. Never rejects. */
  charge(owner: string, cost: number, isOpen: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const charge = {
        cost: Math.min(cost, this.#options.costPerMinute),
        isOpen,
        proceed: resolve,
      };
      const waiting = this.#byOwner.get(owner);
      if (waiting !== undefined) waiting.push(charge);
      else {
        const charges = [charge];
        this.#byOwner.set(owner, charges);
        void this.#payAll(owner, charges);
      }
    });
  }

  async #payAll(owner: string, charges: Charge[]): Promise<void> {
    // Events are paid one by one while the budget is short: together they could cost more than ever becomes free.
    let isShort = false;
    while (charges.length > 0) {
      const batch = takeBatch(charges, isShort ? 0 : this.#options.costPerMinute);
      const seconds = await this.#pay(owner, sumOf(batch));
      isShort = seconds !== null;
      for (const { proceed } of isShort ? [] : batch) proceed();
      if (seconds === null) continue;
      charges.unshift(...batch);
      if (batch.length === 1) await this.#wait(seconds);
    }
    this.#byOwner.delete(owner);
  }

  /** @returns null: paid; otherwise the seconds after which the budget has enough */
  async #pay(owner: string, cost: number): Promise<number | null> {
    if (cost === 0) return null;
    try {
      await this.#options.spend(owner, cost);
      return null;
    } catch (thrown) {
      // The database has failed: streams read their events from it too, and need no second reason to fail.
      return thrown instanceof QuotaExceededError ? (thrown.retryAfterSeconds ?? 1) : null;
    }
  }

  #wait(seconds: number): Promise<void> {
    const { waitSeconds } = this.#options;
    return waitSeconds?.(seconds) ?? wait(seconds * 1_000, undefined, { ref: false });
  }
}

/** The first charges that cost at most `max` together, at least one. Those of closed streams cost nothing. */
function takeBatch(charges: Charge[], max: number): Charge[] {
  let sum = 0;
  const end = charges.findIndex((charge, at) => {
    sum += sumOf([charge]);
    return at > 0 && sum > max;
  });
  return charges.splice(0, end === -1 ? charges.length : end);
}

const sumOf = (charges: readonly Charge[]) =>
  charges.reduce((sum, { cost, isOpen }) => sum + (isOpen() ? cost : 0), 0);
