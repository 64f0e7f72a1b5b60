import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statfsSync,
} from 'node:fs';
import { join } from 'node:path';

const memory = '/dev/shm';
const prefix = 'lipsync-tests-';

/** A run holds a few hundred megabytes of databases and videos at a time. */
const neededBytes = 4 * 2 ** 30;

function isUsable(): boolean {
  try {
    accessSync(memory, constants.W_OK);
    const { bavail, bsize } = statfsSync(memory);
    return bavail * bsize >= neededBytes;
  } catch {
    return false;
  }
}

function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** A run that was killed leaves its folder, which would hold memory until the next reboot. */
function removeOrphans(): void {
  for (const name of readdirSync(memory).filter((each) => each.startsWith(prefix))) {
    if (!existsSync(`/proc/${name.slice(prefix.length)}`)) remove(join(memory, name));
  }
}

/**
 * For `globalSetup`: puts temporary folders in memory where the machine has enough. Copying a database of hundreds of
 * files there takes a tenth of the time that a disk takes. Test workers inherit the variable.
 */
export function setup(): (() => void) | undefined {
  if (process.env.TMPDIR !== undefined || !isUsable()) return undefined;
  removeOrphans();
  const folder = join(memory, `${prefix}${process.pid}`);
  mkdirSync(folder);
  process.env.TMPDIR = folder;
  return () => {
    delete process.env.TMPDIR;
    remove(folder);
  };
}
