/**
 * Loaded into the program under test with `--expose-gc --import`: it says over its channel what is left after a
 * collection, whenever it is asked.
 */
process.on('message', () => {
  globalThis.gc?.();
  globalThis.gc?.();
  process.send?.(process.memoryUsage());
});
process.channel?.unref();
