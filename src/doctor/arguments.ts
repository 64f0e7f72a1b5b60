import { parseArgs } from 'node:util';

export type DoctorArguments = {
  isJson: boolean;
  isProbe: boolean;
  /** A file with the token of an admin, for a database that only the running server can read. */
  tokenFile: string | null;
};

export type ParsedArguments =
  | { kind: 'run'; given: DoctorArguments }
  | { kind: 'help' }
  | { kind: 'invalid'; problem: string };

export const help = `Examines this installation and says what is wrong and what to do. Changes nothing.

  npm run doctor
  npm run -s doctor -- --json
  npm run doctor -- --probe

  --json             The findings as JSON.
  --probe            Also reads every GET endpoint of the video service, and prints where its answers
                     differ from the sandbox's. Needs USEAPI_TOKEN. Costs nothing.
  --token-file FILE  The token of a caller with the scope admin. The running server is asked with it
                     while only that server can read the database.
  --help             This text.

It reads the same variables as npm start, and .env. Exit code: 0 no problem, 1 warnings, 2 errors, 64 a
wrong option.
`;

export function parseArguments(args: readonly string[]): ParsedArguments {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        json: { type: 'boolean', default: false },
        probe: { type: 'boolean', default: false },
        'token-file': { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) return { kind: 'help' };
    const { json, probe, 'token-file': tokenFile = null } = values;
    return { kind: 'run', given: { isJson: json, isProbe: probe, tokenFile } };
  } catch (thrown) {
    const text = thrown instanceof Error ? thrown.message : String(thrown);
    return { kind: 'invalid', problem: text.split(/\.?\n|\. /)[0] ?? text };
  }
}
