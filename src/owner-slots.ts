export type OwnerSlotLimits = {
  /** Slots of all owners together. */
  all: number;
  /** Slots of one owner. Default: only the share below limits an owner. */
  perOwner?: number | undefined;
};

/**
 * Slots of this process that owners share. An owner gets another slot only while it holds fewer than are free. So one owner
 * gets at most half of all slots, two owners about three quarters, and many owners are needed to use up all of them.
 */
export class OwnerSlots {
  readonly #limits: OwnerSlotLimits;
  readonly #heldByOwner = new Map<string, number>();
  #held = 0;

  constructor(limits: OwnerSlotLimits) {
    this.#limits = limits;
  }

  /** @returns releases the slots, once; null if the owner can't have that many now */
  acquire(owner: string, count = 1): (() => void) | null {
    const own = (this.#heldByOwner.get(owner) ?? 0) + count - 1;
    const free = this.#limits.all - this.#held - count + 1;
    const { perOwner = free } = this.#limits;
    if (own >= Math.min(perOwner, free)) return null;
    this.#change(owner, count);
    let isHeld = true;
    return () => {
      if (isHeld) this.#change(owner, -count);
      isHeld = false;
    };
  }

  #change(owner: string, by: number): void {
    this.#held += by;
    const own = (this.#heldByOwner.get(owner) ?? 0) + by;
    if (own > 0) this.#heldByOwner.set(owner, own);
    else this.#heldByOwner.delete(owner);
  }
}
