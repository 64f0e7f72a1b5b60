import { DataDirInUseError, lockDataDir } from '../../src/database/lock.ts';
import { createLog } from '../../src/log.ts';

/** A process of its own that tries to hold the folder of its first argument, says how that went, and stays until killed. */
const [, , directory = ''] = process.argv;

try {
  await lockDataDir(directory, createLog('silent'));
  process.stdout.write('held\n');
} catch (error) {
  process.stdout.write(error instanceof DataDirInUseError ? 'refused\n' : `${error}\n`);
}
setInterval(() => undefined, 60_000);
