/**
 * Preloaded into both servers. On a message it collects garbage and reports the resident memory, so that the difference
 * between two reports is what the open connections hold.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

process.on('message', () => {
  collectGarbage();
  collectGarbage();
  process.send?.(process.memoryUsage.rss());
});
// The channel to the bench must not keep the program alive.
process.channel?.unref();
// Ends the servers also when the bench was killed.
process.on('disconnect', () => process.exit());
