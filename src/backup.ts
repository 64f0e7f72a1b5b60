import { backupHelp, parseArguments } from './backup/arguments.ts';
import { runCommand } from './backup/run-command.ts';
import { writeBackup } from './backup/write-backup.ts';

const parsed = parseArguments(process.argv.slice(2), { isRestore: false });
process.exitCode = await runCommand(parsed, {
  help: backupHelp,
  verb: 'written',
  work: writeBackup,
});
