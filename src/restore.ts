import { parseArguments, restoreHelp } from './backup/arguments.ts';
import { restoreBackup } from './backup/read-backup.ts';
import { runCommand } from './backup/run-command.ts';

const parsed = parseArguments(process.argv.slice(2), { isRestore: true });
process.exitCode = await runCommand(parsed, {
  help: restoreHelp,
  verb: 'restored',
  work: restoreBackup,
});
