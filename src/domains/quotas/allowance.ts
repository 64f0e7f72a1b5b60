/** A limit of an owner, and how much of it is used. */
export type Allowance = {
  limit: number;
  used: number;
  remaining: number;
  /** When part of what is used becomes available again. Null if that is not known, and if nothing is used. */
  resetAt: Date | null;
};

/** `used` can be a fraction, and above a limit that was lowered. */
export function toAllowance(limit: number, used: number, resetAt: Date | null = null): Allowance {
  const whole = Math.ceil(used);
  return {
    limit,
    used: whole,
    remaining: Math.max(0, limit - whole),
    resetAt: whole === 0 ? null : resetAt,
  };
}
