import { readFile } from 'node:fs/promises';
import { ConfigError } from '../config/error.ts';
import { type Config, readConfig } from '../config.ts';
import { createLog } from '../log.ts';
import { judgeAccounts } from './check-accounts.ts';
import { checkDatabase } from './check-database.ts';
import { checkDisk, type DiskSpace, readDiskSpace } from './check-disk.ts';
import { askForAccounts, checkPublicUrl, checkServer } from './check-server.ts';
import { checkUpstream } from './check-upstream.ts';
import { error, type Finding, inOrder, skipped } from './finding.ts';

export type DiagnoseOptions = {
  /** Default: the variables of the process. */
  env?: NodeJS.ProcessEnv;
  tokenFile?: string | null;
  now?: () => Date;
  readSpace?: DiskSpace;
};

/** Examines everything that can be examined, and changes nothing. `config` is null if it is not valid. */
export async function diagnose(
  options: DiagnoseOptions = {},
): Promise<{ config: Config | null; findings: Finding[] }> {
  const { env, tokenFile = null, now = () => new Date(), readSpace = readDiskSpace } = options;
  const read = tryToReadConfig(env);
  if (read.config === null) return read;
  const { config } = read;
  // Each check says in its findings what it could not examine.
  const log = createLog('silent');
  const server = await checkServer(config);
  const [database, disk, publicUrl, upstream] = await Promise.all([
    checkDatabase(config, { log, now }),
    checkDisk(config.database.dataDir, readSpace),
    checkPublicUrl(config, server),
    checkUpstream(config, { log, now }),
  ]);
  const asked = database.isInUse ? await askServer(config, { tokenFile, ...server }) : [];
  return {
    config,
    findings: [
      ...read.findings,
      ...disk,
      ...database.findings,
      ...server.findings,
      ...asked,
      ...publicUrl,
      ...upstream,
    ],
  };
}

function tryToReadConfig(
  env: NodeJS.ProcessEnv | undefined,
): { config: Config; findings: Finding[] } | { config: null; findings: Finding[] } {
  try {
    const config = readConfig(env);
    return { config, findings: [inOrder('configuration', `Valid, mode ${config.mode}.`)] };
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
    const advice = 'Correct the variable: .env.example describes each. Nothing else was examined.';
    const findings = thrown.problems.map((problem) =>
      error('configuration', 'configuration-invalid', { message: `${problem}.`, advice }),
    );
    return { config: null, findings };
  }
}

/** While a server has the embedded database open, the server is queried as a client queries it. */
async function askServer(
  config: Config,
  { tokenFile, isRunning }: { tokenFile: string | null; isRunning: boolean },
): Promise<Finding[]> {
  if (!isRunning) {
    return [
      error('server', 'data-dir-in-use', {
        message:
          'A process has the database of DATA_DIR open, and no server answers at HOST and PORT.',
        advice:
          'Find the process that uses the folder (`fuser -v` on it), and stop it, or correct HOST and PORT.',
      }),
    ];
  }
  const token = tokenFile === null ? null : (await readFile(tokenFile, 'utf8')).trim();
  const accounts = await askForAccounts(config, token);
  const rest = skipped(
    'lipsyncs',
    'Only the running server can read lip-syncs.',
    'Query `allLipsyncs` as an admin, or stop the server and run this again.',
  );
  if (accounts !== null) return [...judgeAccounts(accounts), rest];
  return [
    skipped(
      'accounts',
      'Only the running server can read pauses, and it shows them to admins.',
      'Give the token of an admin in a file: `--token-file`.',
    ),
    rest,
  ];
}
