/** How much the clock of a token's issuer may differ from ours: a token is valid for this time after its expiry. */
export const clockToleranceMs = 5_000;
