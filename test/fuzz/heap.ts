/**
 * Loaded into the program under test with `--expose-gc --import`: reports the memory after a garbage
 * collection, on request over its IPC channel.
 */
process.on('message', () => {
  globalThis.gc?.();
  globalThis.gc?.();
  process.send?.(process.memoryUsage());
});
process.channel?.unref();
