/**
 * Preloaded into both servers. For `memory` it collects garbage and reports the resident memory in bytes, so that the
 * difference between two reports is what the open connections hold. For `cpu` it reports the CPU time in milliseconds.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

process.on('message', (command) => {
  if (command === 'cpu') {
    const { user, system } = process.cpuUsage();
    process.send?.((user + system) / 1000);
    return;
  }
  collectGarbage();
  collectGarbage();
  process.send?.(process.memoryUsage.rss());
});
// The channel to the bench must not keep the program alive.
process.channel?.unref();
// Ends the servers also when the bench was killed.
process.on('disconnect', () => process.exit());
