import { error, type Finding, formatAge, inOrder, warning } from './finding.ts';

/** An instance that is further ahead calls outcomes unknown too early: docs/operations.md. */
const toleratedMs = 10_000;

/** Tokens are rejected and signed addresses expire early. */
const severeMs = 300_000;

/**
 * @param reading `before` and `after`: this machine's time when the other clock was asked and when it answered
 * @param reading.precisionMs 1000 for the header `Date`, which has whole seconds
 */
export function checkClock(reading: {
  of: string;
  theirs: Date;
  before: Date;
  after: Date;
  precisionMs?: number;
}): Finding[] {
  const { of, theirs, before, after, precisionMs = 1 } = reading;
  const time = theirs.getTime();
  const behindMs = time - after.getTime();
  const aheadMs = before.getTime() - (time + precisionMs);
  const skewMs = Math.max(0, behindMs, aheadMs);
  if (skewMs <= toleratedMs) {
    return [inOrder('clock', `This machine's clock agrees with that of ${of}.`)];
  }
  const report = skewMs > severeMs ? error : warning;
  const direction = behindMs > 0 ? 'behind' : 'ahead of';
  return [
    report('clock', 'clock-skew', {
      message: `This machine's clock is ${formatAge(skewMs)} ${direction} that of ${of}.`,
      advice: 'Synchronise the clock, for example with chrony or systemd-timesyncd.',
    }),
  ];
}
