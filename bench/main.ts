/**
 * Runs the measurements of this folder and prints medians and ratios. Exits with 1 if a ratio is far off its promise.
 *
 *     npm run bench -- [name …] [--short] [--json FILE]
 *
 * The short form without names leaves out the measurements that promise nothing.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { type Comparison, formatComparison, isNear, type Measurement, ratioOf } from './report.ts';

/** Each is imported when it runs, because the peers of one are not installed for another. */
const measurements: Record<string, () => Promise<{ run: Measurement }>> = {
  reads: () => import('./reads.ts'),
  simulation: () => import('./simulation.ts'),
  creations: () => import('./creations.ts'),
  growth: () => import('./growth.ts'),
  'fan-out': () => import('./fan-out.ts'),
  start: () => import('./start.ts'),
  notify: () => import('./notify.ts'),
  lifecycle: () => import('./lifecycle.ts'),
  tracing: () => import('./tracing.ts'),
};

const withoutPromise = ['notify', 'lifecycle', 'tracing'];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { short: { type: 'boolean', default: false }, json: { type: 'string' } },
});
const all = Object.keys(measurements).filter(
  (name) => !(values.short && withoutPromise.includes(name)),
);
const comparisons: Comparison[] = [];
for (const name of positionals.length > 0 ? positionals : all) {
  const load = measurements[name];
  if (load === undefined) throw new Error(`No measurement is called ${name}.`);
  process.stdout.write(`== ${name}\n`);
  const startedAt = performance.now();
  const { run } = await load();
  for (const comparison of await run({ isShort: values.short })) {
    comparisons.push(comparison);
    const verdict = isNear(comparison) ? '' : '  FAR OFF';
    process.stdout.write(`${formatComparison(comparison)}${verdict}\n`);
    if (!isNear(comparison)) process.exitCode = 1;
  }
  process.stdout.write(
    `== ${name} took ${((performance.now() - startedAt) / 1000).toFixed(0)} s\n`,
  );
}
if (values.json !== undefined) {
  const rows = comparisons.map((each) => ({ ...each, ratio: ratioOf(each) }));
  await writeFile(values.json, `${JSON.stringify(rows, null, 2)}\n`);
}
