import { subscribe } from 'node:diagnostics_channel';
import { writeSync } from 'node:fs';
import { points } from './points.ts';

/*
 * For `node --import`: kills the process in the middle of the step CHAOS_POINT, when that step happens for the
 * CHAOS_NTH time. The product reads neither variable.
 */
const { CHAOS_POINT, CHAOS_NTH } = process.env;
const point = points.find(({ name }) => name === CHAOS_POINT);
let left = Number(CHAOS_NTH);
if (point === undefined || !(left > 0)) throw new Error('CHAOS_POINT and CHAOS_NTH are needed.');

subscribe(point.channel, (message) => {
  if (!point.fits(message as object)) return;
  left -= 1;
  if (left > 0) return;
  writeSync(1, `${JSON.stringify({ level: 'info', msg: 'killed', point: point.name })}\n`);
  // No code of the process runs after this: the signal is handled before the call returns.
  process.kill(process.pid, 'SIGKILL');
});
