import { readdirSync, readFileSync } from 'node:fs';

/** In `/proc`, which counts in hundredths of a second. */
const tickMs = 10;

/** The CPU time of a process, and of its children with `withChildren`, in milliseconds. Linux only. */
export function cpuTimeOf(pid: number, { withChildren = false } = {}): number {
  const own = readStat(pid);
  if (own === null) throw new Error('The process does not run, or this is not Linux.');
  if (!withChildren) return own.ms;
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readStat(Number(name)))
    .filter((stat) => stat?.parent === pid);
  return children.reduce((sum, stat) => sum + (stat?.ms ?? 0), own.ms + own.endedChildrenMs);
}

/** Null if the process has ended. */
function readStat(pid: number): { parent: number; ms: number; endedChildrenMs: number } | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null;
  }
  // After the name, which can contain spaces: the state, the parent, and from the twelfth on the times.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = (from: number) => Number(fields[from]) + Number(fields[from + 1]);
  return { parent: Number(fields[1]), ms: ticks(11) * tickMs, endedChildrenMs: ticks(13) * tickMs };
}

export function parentOf(pid: number): number {
  return readStat(pid)?.parent ?? 0;
}
