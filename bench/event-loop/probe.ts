/**
 * Preloaded into the program under test. It reports the longest time since `reset` that the main thread worked without
 * returning to the event loop. In CPU time, on which other processes have little effect.
 */
let longestMs = 0;
let last = process.threadCpuUsage();

setInterval(() => {
  const { user, system } = process.threadCpuUsage(last);
  longestMs = Math.max(longestMs, (user + system) / 1000);
  last = process.threadCpuUsage();
}, 1).unref();

process.on('message', (command) => {
  if (command === 'reset') longestMs = 0;
  // A block is recorded by the first timer after it, so the answer waits for one.
  else setTimeout(() => process.send?.(longestMs), 5);
});
// The channel to the bench must not keep the program alive.
process.channel?.unref();
