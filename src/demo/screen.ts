import { styleText } from 'node:util';
import { Presets, SingleBar } from 'cli-progress';
import { createSmoothProgress, type ProgressEvent } from './smooth-progress.ts';

export type Progress = ProgressEvent & { queuePosition: number | null };

const redrawMs = 100;

/** One line for a finished step. */
export function printStep(name: string, text: string): void {
  process.stdout.write(`${styleText('green', '✓')} ${name.padEnd(9)} ${text}\n`);
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The last line of a failed demo, to stderr. */
export function printFailure(message: string): void {
  process.stderr.write(`${styleText('red', '✗', { stream: process.stderr })} ${message}\n`);
}

export type ProgressDisplay = {
  show(progress: Progress): void;
  /** Also restores the cursor. */
  close(): void;
};

/** A moving bar on a terminal; one line for each event in a file or pipe. */
export function openProgress(): ProgressDisplay {
  if (process.stdout.isTTY) return openBar();
  return {
    show: (progress) =>
      print(`  ${String(Math.round(progress.percent)).padStart(3)} %  ${describe(progress)}`),
    close: () => undefined,
  };
}

function openBar(): ProgressDisplay {
  const progressOverTime = createSmoothProgress();
  let text = '';
  const bar = new SingleBar(
    {
      format: '  {bar} {percentage} %  {text}',
      stream: process.stdout,
      barsize: 40,
      hideCursor: true,
      clearOnComplete: false,
      // The demo's own signal handlers close the bar.
      gracefulExit: false,
    },
    Presets.shades_classic,
  );
  bar.start(100, 0, { text });
  const draw = () => bar.update(Math.floor(progressOverTime.percentAt(new Date())), { text });
  const timer = setInterval(draw, redrawMs);
  return {
    show(progress) {
      progressOverTime.update(progress, new Date());
      text = describe(progress);
      draw();
    },
    close() {
      clearInterval(timer);
      bar.stop();
    },
  };
}

function describe({ status, queuePosition }: Progress): string {
  return queuePosition === null ? status : `${status}, number ${queuePosition} in the queue`;
}

export function formatBytes(count: number): string {
  return count < 1_000_000 ? `${(count / 1000).toFixed(0)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

export function formatSeconds(count: number | null): string {
  return count === null ? 'unknown length' : `${count.toFixed(1)} s`;
}
