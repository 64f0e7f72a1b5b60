import type { Engine } from './engine.ts';
import { giveUpOverdue } from './observe.ts';
import { startPolls } from './poll.ts';
import { queueChannel } from './queue.ts';
import { dispatch, expireDue, takeOver } from './submit.ts';

/** Frees and deadlines are noticed this often even where no word of them came. */
const tickMs = 1_000;

/**
 * Makes lip-syncs move: sends what has room whenever something may have become free, and looks at the clock for all
 * that comes due. Each task runs once at a time in this process, and any number of processes may run them.
 */
export function startClockwork(engine: Engine) {
  let isStopping = false;
  let unlisten: (() => Promise<void>) | null = null;
  let timer: NodeJS.Timeout | null = null;
  const running = new Map<string, Promise<void>>();
  const again = new Set<string>();

  /** Runs a task, or once more after the one that runs: what it had already passed by may have changed. */
  function run(name: string, task: () => Promise<unknown>): void {
    if (isStopping) return;
    if (running.has(name)) {
      again.add(name);
      return;
    }
    const done = task()
      .then(
        () => undefined,
        (error: unknown) => {
          if (!isStopping) engine.log.error({ err: error, task: name }, 'a task broke off');
        },
      )
      .finally(() => {
        running.delete(name);
        if (again.delete(name)) run(name, task);
      });
    running.set(name, done);
  }

  const send = () => run('dispatch', () => dispatch(engine, () => isStopping));

  function tick(): void {
    run('housekeeping', async () => {
      await expireDue(engine);
      await takeOver(engine);
      await giveUpOverdue(engine);
    });
    run('probe', () => engine.accounts.probeDue());
    send();
  }

  return {
    async start(): Promise<void> {
      if (engine.db.kind === 'embedded') await takeOver(engine, true);
      unlisten = await engine.db.listen(queueChannel, { onMessage: send, onReconnected: send });
      await startPolls(engine);
      tick();
      timer = setInterval(tick, tickMs);
    },
    async stop(): Promise<void> {
      isStopping = true;
      if (timer !== null) clearInterval(timer);
      await unlisten?.();
      await Promise.allSettled(running.values());
    },
  };
}
