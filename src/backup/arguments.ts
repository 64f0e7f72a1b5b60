import { parseArgs } from 'node:util';

export type BackupArguments = { file: string; isForced: boolean; nothingSentSince: boolean };

export type ParsedArguments =
  | { kind: 'run'; given: BackupArguments }
  | { kind: 'help' }
  | { kind: 'invalid'; problem: string };

export const backupHelp = `Writes the whole database into a file, and the files of the sandbox with it.

  npm run backup -- lipsync.backup

  --force   Replaces an existing file.
  --help    This text.

It reads the same variables as npm start, and .env. With the embedded database stop the server first; with
PostgreSQL servers may continue to run.
`;

export const restoreHelp = `Puts a backup into the database, and the files of the sandbox into DATA_DIR. Stop every server first.

  npm run restore -- lipsync.backup

  --force               Replaces what the database and the sandbox contain.
  --nothing-sent-since  No server has run on this database since the backup: waiting lip-syncs are sent.
                        Without it they end with OUTCOME_UNKNOWN, because they may have been sent and charged.
  --help                This text.

It reads the same variables as npm start, and .env.
`;

/** @param options.isRestore whether the options of `restore` are accepted */
export function parseArguments(
  args: readonly string[],
  { isRestore }: { isRestore: boolean },
): ParsedArguments {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        force: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
        ...(isRestore ? { 'nothing-sent-since': { type: 'boolean', default: false } } : {}),
      },
    });
    if (values.help) return { kind: 'help' };
    const [file, ...more] = positionals;
    if (file === undefined || file === '' || more.length > 0) {
      return { kind: 'invalid', problem: 'One file is needed' };
    }
    const nothingSentSince = values['nothing-sent-since'] === true;
    return { kind: 'run', given: { file, isForced: values.force, nothingSentSince } };
  } catch (thrown) {
    const text = thrown instanceof Error ? thrown.message : String(thrown);
    return { kind: 'invalid', problem: text.split(/\.?\n|\. /)[0] ?? text };
  }
}
