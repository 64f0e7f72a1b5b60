import { setTimeout as wait } from 'node:timers/promises';
import type { Engine } from '../dependencies.ts';
import { lookAtAccount, lookAtLipsync } from '../reconcile/find-job.ts';
import { createGiveUp, freeForgottenSlots } from '../reconcile/give-up.ts';
import { startPolls } from '../reconcile/poll.ts';
import { learnCapacity } from './external-load.ts';
import { queueChannel } from './queue.ts';
import { dispatch, expireDue, takeOver } from './submit.ts';

/** Frees and deadlines are noticed this often even where no word of them came. */
const tickMs = 1_000;

/** How long a stop waits for what is under way; POSTs are waited for apart from this. */
const mostStopMs = 1_500;

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
  const giveUpOverdue = createGiveUp(engine);

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
    run('expire', () => expireDue(engine));
    run('free', () => freeForgottenSlots(engine));
    run('take over', async () => {
      const lost = await takeOver(engine);
      // Not waited for: an upstream that hangs, of which they may have died, would hold up what is to be taken over next.
      for (const id of lost) run(`look for ${id}`, () => lookAtLipsync(engine, id, 'POLL'));
    });
    run('give up', giveUpOverdue);
    run('probe', () => engine.accounts.probeDue());
    run('learn', () => learnCapacity(engine));
    send();
  }

  return {
    async start(): Promise<void> {
      if (engine.db.kind === 'embedded') await takeOver(engine, true);
      unlisten = await engine.db.listen(queueChannel, { onMessage: send, onReconnected: send });
      const accountIds = await startPolls(engine);
      // Whatever ended while nobody was here is told now, and not after the first interval.
      for (const id of accountIds) run(`first look at ${id}`, () => lookAtAccount(engine, id));
      tick();
      timer = setInterval(tick, tickMs);
    },
    async stop(): Promise<void> {
      isStopping = true;
      if (timer !== null) clearInterval(timer);
      await unlisten?.();
      // What still reads from the upstream may hang as long as that does, and the next start sees it again.
      await Promise.race([
        Promise.allSettled(running.values()),
        wait(mostStopMs, undefined, { ref: false }),
      ]);
    },
  };
}
