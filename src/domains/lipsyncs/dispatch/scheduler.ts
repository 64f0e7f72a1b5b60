import { setTimeout as wait } from 'node:timers/promises';
import { queueChannel } from '../../accounts/service.ts';
import type { LipsyncDependencies } from '../dependencies.ts';
import { reconcileAccount, reconcileLipsync } from '../reconcile/find-job.ts';
import { createGiveUp, freeAbandonedSlots } from '../reconcile/give-up.ts';
import { startPolls } from '../reconcile/poll.ts';
import { endWaitingOfBackup } from './after-restore.ts';
import { endWaits } from './awaited-files.ts';
import { refreshCredits } from './credit-readings.ts';
import { expireDue } from './expiry.ts';
import { refreshExternalLoad } from './external-load.ts';
import { dispatch } from './submit.ts';
import { takeOver } from './takeover.ts';
import { createThrottle } from './throttle.ts';

/** Free slots and deadlines are noticed at most this late if no notification arrives. */
const defaultTickMs = 1_000;

/** `wake` searches for a free slot at most once per this interval, also while many lip-syncs are queued. */
const wakeIntervalMs = 50;

/** How long shutdown waits for running tasks. POSTs are waited for separately. */
const maxStopMs = 1_500;

/**
 * Runs the background work: sends waiting lip-syncs whenever a slot or an account may have become free, and checks at
 * every tick what is due. Each task runs once at a time in this process; any number of processes may run them.
 */
export function createScheduler(deps: LipsyncDependencies) {
  let isStopping = false;
  let unlisten: (() => Promise<void>) | null = null;
  let timer: NodeJS.Timeout | null = null;
  const { run, whenIdle } = createTaskRunner(deps, () => isStopping);
  const giveUp = createGiveUp(deps);

  const send = () => run('dispatch', () => dispatch(deps, () => isStopping));
  const waking = createThrottle(wakeIntervalMs, send);

  const endFileWaits = () => run('awaited files', () => endWaits(deps));
  // At every tick too: the upload may have ended on another instance, or before the lip-sync was committed.
  deps.uploads.onEnd(endFileWaits);

  function tick(): void {
    endFileWaits();
    run('expire', () => expireDue(deps));
    run('free slots', () => freeAbandonedSlots(deps));
    run('take over', async () => {
      const ids = await takeOver(deps);
      // Not awaited: an upstream that hangs must not block the next takeovers.
      for (const id of ids) run(`reconcile ${id}`, () => reconcileLipsync(deps, id, 'POLL'));
    });
    run('give up', giveUp);
    run('probe accounts', () => deps.accounts.probeDue());
    run('readings', () => Promise.all([refreshExternalLoad(deps), refreshCredits(deps)]));
    send();
  }

  return {
    /**
     * Searches for a free slot after lip-syncs were queued. A slot may have become free after the slots were read for these
     * lip-syncs and before they were committed: when that slot was notified, no instance could see them yet. Other instances
     * need no notification, because this search covers every waiting lip-sync.
     */
    wake: () => (timer === null ? undefined : waking.run()),
    async start(): Promise<void> {
      await endWaitingOfBackup(deps);
      if (deps.db.kind === 'embedded') await takeOver(deps, { areLeasesVoid: true });
      unlisten = await deps.db.listen(queueChannel, { onMessage: send, onReconnected: send });
      const ids = await startPolls(deps);
      // Jobs may have ended while no process ran: reconciled now, not after the first poll interval.
      for (const id of ids) run(`reconcile account ${id}`, () => reconcileAccount(deps, id));
      timer = setInterval(tick, deps.intervals?.tickMs ?? defaultTickMs);
      tick();
    },
    async stop(): Promise<void> {
      isStopping = true;
      if (timer !== null) clearInterval(timer);
      waking.stop();
      await unlisten?.();
      // Not longer than this: reads from an upstream that hangs would delay the shutdown, and the next start repeats
      // them.
      await Promise.race([whenIdle(), wait(maxStopMs, undefined, { ref: false })]);
    },
  };
}

function createTaskRunner(deps: Pick<LipsyncDependencies, 'log'>, isStopping: () => boolean) {
  const running = new Map<string, Promise<void>>();
  const again = new Set<string>();

  /** Runs a task. If it is running already, runs it once more afterwards: it may have missed the latest change. */
  function run(name: string, task: () => Promise<unknown>): void {
    if (isStopping()) return;
    if (running.has(name)) {
      again.add(name);
      return;
    }
    const done = task()
      .then(ignore, (error: unknown) => {
        if (!isStopping()) deps.log.error({ err: error, task: name }, 'a background task failed');
      })
      .finally(() => {
        running.delete(name);
        if (again.delete(name)) run(name, task);
      });
    running.set(name, done);
  }

  return { run, whenIdle: () => Promise.allSettled(running.values()) };
}

function ignore(): void {}
