import { DataDirInUseError, lockDataDir } from '../../src/database/lock.ts';
import { createLog } from '../../src/log.ts';

/** A process that tries to lock the folder of its first argument, prints the result and stays until killed. */
const [, , directory = ''] = process.argv;

try {
  await lockDataDir(directory, createLog('silent'));
  process.stdout.write('held\n');
} catch (error) {
  process.stdout.write(error instanceof DataDirInUseError ? 'refused\n' : `${error}\n`);
}
setInterval(() => undefined, 60_000);
