/**
 * Runs `task` when it is called. Calls while it runs lead to one more run, because the task may have missed the latest
 * change; `rest` comes between any two runs.
 *
 * @returns a function that resolves when the task does not run any more
 */
export function runOneAtATime(
  task: () => Promise<void>,
  { rest, stopping }: { rest: () => Promise<void>; stopping: AbortSignal },
): () => Promise<void> {
  let running: Promise<void> | null = null;
  let isNeededAgain = false;

  async function run(): Promise<void> {
    do {
      isNeededAgain = false;
      await task();
      // Also before a call that comes after the end of this run.
      await rest();
    } while (isNeededAgain && !stopping.aborted);
    running = null;
  }

  return async () => {
    isNeededAgain = true;
    if (running === null && !stopping.aborted) running = run();
    await running;
  };
}
