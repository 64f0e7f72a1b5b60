import { styleText } from 'node:util';
import { Presets, SingleBar } from 'cli-progress';
import { createPace, type Told } from './pace.ts';

export type Progress = Told & { queuePosition: number | null };

const redrawMs = 100;

/** A finished step, as one line. */
export function tellStep(name: string, what: string): void {
  process.stdout.write(`${styleText('green', '✓')} ${name.padEnd(9)} ${what}\n`);
}

export function tell(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** To stderr. It is the last thing that is said. */
export function tellFailure(words: string): void {
  process.stderr.write(`${styleText('red', '✗', { stream: process.stderr })} ${words}\n`);
}

export type ProgressDisplay = {
  show(progress: Progress): void;
  /** Also gives the cursor back. */
  close(): void;
};

/** A bar that moves on a terminal; elsewhere a line for each event, as a log wants it. */
export function openProgress(): ProgressDisplay {
  if (process.stdout.isTTY) return openBar();
  return {
    show: (progress) =>
      tell(`  ${String(Math.round(progress.percent)).padStart(3)} %  ${describe(progress)}`),
    close: () => undefined,
  };
}

function openBar(): ProgressDisplay {
  const pace = createPace();
  let what = '';
  const bar = new SingleBar(
    {
      format: '  {bar} {percentage} %  {what}',
      stream: process.stdout,
      barsize: 40,
      hideCursor: true,
      clearOnComplete: false,
      // Our own handlers end everything in order.
      gracefulExit: false,
    },
    Presets.shades_classic,
  );
  bar.start(100, 0, { what });
  const draw = () => bar.update(Math.floor(pace.percentAt(new Date())), { what });
  const clock = setInterval(draw, redrawMs);
  return {
    show(progress) {
      pace.tell(progress, new Date());
      what = describe(progress);
      draw();
    },
    close() {
      clearInterval(clock);
      bar.stop();
    },
  };
}

function describe({ status, queuePosition }: Progress): string {
  return queuePosition === null ? status : `${status}, number ${queuePosition} in the queue`;
}

export function bytes(count: number): string {
  return count < 1_000_000 ? `${(count / 1000).toFixed(0)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

export function seconds(count: number | null): string {
  return count === null ? 'unknown length' : `${count.toFixed(1)} s`;
}
