import { ConfigError } from '../config/error.ts';
import { type Config, readConfig } from '../config.ts';
import { DataDirInUseError } from '../database/lock.ts';
import type { BackupArguments, ParsedArguments } from './arguments.ts';
import { BackupError } from './format.ts';
import type { BackupReport } from './write-backup.ts';

/** The exit code of a wrong option, as in sysexits.h. */
const usageExitCode = 64;

/** Runs a command and returns its exit code: 0, 1 for an error that an operator can fix, 64 for a wrong option. */
export async function runCommand(
  parsed: ParsedArguments,
  command: {
    help: string;
    verb: string;
    work: (config: Config, given: BackupArguments) => Promise<BackupReport>;
  },
): Promise<number> {
  if (parsed.kind === 'help') {
    process.stdout.write(command.help);
    return 0;
  }
  if (parsed.kind === 'invalid') {
    process.stderr.write(`${parsed.problem}. See --help.\n`);
    return usageExitCode;
  }
  try {
    const { rows, files } = await command.work(readConfig(), parsed.given);
    process.stdout.write(`${rows} rows and ${files} files of the sandbox were ${command.verb}.\n`);
    return 0;
  } catch (error) {
    if (!isExpected(error)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

function isExpected(error: unknown): error is Error {
  return (
    error instanceof BackupError ||
    error instanceof ConfigError ||
    error instanceof DataDirInUseError
  );
}
