import { accessSync, constants, mkdirSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
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

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** A run that was killed leaves its folder, which in memory would stay until the next reboot. */
function removeOrphans(parent: string): void {
  for (const name of readdirSync(parent).filter((each) => each.startsWith(prefix))) {
    if (!isRunning(Number(name.slice(prefix.length)))) remove(join(parent, name));
  }
}

/**
 * For `globalSetup`: all temporary folders of a run are in one, which is removed at its end with the databases that later
 * tests would have used. It is in memory where the machine has enough and TMPDIR is not set: copying a database of hundreds
 * of files there takes a tenth of the time that a disk takes. Test workers inherit the variable.
 */
export function setup(): () => void {
  const given = process.env.TMPDIR;
  const parent = given === undefined && isUsable() ? memory : tmpdir();
  removeOrphans(parent);
  const folder = join(parent, `${prefix}${process.pid}`);
  mkdirSync(folder);
  process.env.TMPDIR = folder;
  return () => {
    if (given === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = given;
    remove(folder);
  };
}
