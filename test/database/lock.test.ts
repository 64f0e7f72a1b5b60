import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectDatabase } from '../../src/database/connect.ts';
import { DataDirInUseError, lockDataDir } from '../../src/database/lock.ts';
import { silentLog } from '../support/database.ts';

const program = join(import.meta.dirname, '../support/hold-data-dir.ts');

let directory: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lipsync-lock-'));
});
afterEach(async () => {
  await Promise.all(children.splice(0).map(kill));
  await rm(directory, { recursive: true });
});

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

async function lockInAnotherProcess(
  path: string,
): Promise<{ child: ChildProcess; answer: string }> {
  const child = spawn(process.execPath, [program, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const [chunk] = await once(child.stdout, 'data');
  return { child, answer: String(chunk).trim() };
}

const folders: [string, () => string][] = [
  ['a short path', () => directory],
  ['a path longer than a socket address', () => join(directory, 'long-'.repeat(40))],
];

describe.each(folders)('a data folder at %s', (_, createPath) => {
  let path: string;
  beforeEach(async () => {
    path = createPath();
    await mkdir(path, { recursive: true });
  });

  it('is locked by one process at a time', async () => {
    const unlock = await lockDataDir(path, silentLog);
    await expect(lockDataDir(path, silentLog)).rejects.toThrow(DataDirInUseError);
    expect((await lockInAnotherProcess(path)).answer).toBe('refused');
    await unlock();
    expect(await readdir(path)).toEqual([]);
    const unlockAgain = await lockDataDir(path, silentLog);
    await unlockAgain();
  });

  it('is released when its process is killed, although the socket file remains', async () => {
    const { child, answer } = await lockInAnotherProcess(path);
    expect(answer).toBe('held');
    await expect(lockDataDir(path, silentLog)).rejects.toThrow(DataDirInUseError);
    await kill(child);
    expect(await readdir(path)).toHaveLength(1);
    const unlock = await lockDataDir(path, silentLog);
    await expect(lockDataDir(path, silentLog)).rejects.toThrow(DataDirInUseError);
    await unlock();
    expect(await readdir(path)).toEqual([]);
  });

  it('is locked by exactly one of several processes that start together after a crash', async () => {
    await kill((await lockInAnotherProcess(path)).child);
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => lockInAnotherProcess(path)));
    expect(answers.map(({ answer }) => answer).sort()).toEqual([
      'held',
      'refused',
      'refused',
      'refused',
      'refused',
    ]);
  });
});

describe('a data folder', () => {
  it('is the same folder under another path', async () => {
    const real = join(directory, 'real');
    const other = join(directory, 'other');
    await mkdir(real);
    await symlink(real, other);
    const unlock = await lockDataDir(real, silentLog);
    await expect(lockDataDir(other, silentLog)).rejects.toThrow(DataDirInUseError);
    await unlock();
  });

  it('reports the variable if the folder is in use', async () => {
    const unlock = await lockDataDir(directory, silentLog);
    await expect(lockDataDir(directory, silentLog)).rejects.toThrow(
      /DATA_DIR .* in use by another process/,
    );
    await unlock();
  });

  it('is created if it is missing, and locked while a database is open in it', async () => {
    const dataDir = join(directory, 'not/there/yet');
    const db = await connectDatabase({ dataDir, log: silentLog });
    await expect(connectDatabase({ dataDir, log: silentLog })).rejects.toThrow(DataDirInUseError);
    expect(await db.query('select 1 as a')).toEqual([{ a: 1 }]);
    await db.close();
  });

  it('is released after the database in it failed to open', async () => {
    await writeFile(join(directory, 'database'), 'no folder');
    await expect(connectDatabase({ dataDir: directory, log: silentLog })).rejects.not.toThrow(
      DataDirInUseError,
    );
    const unlock = await lockDataDir(directory, silentLog);
    await unlock();
  });
});
