import { help, parseArguments } from './doctor/arguments.ts';
import { diagnose } from './doctor/diagnose.ts';
import { exitCodeOf, type Finding, formatFinding } from './doctor/finding.ts';
import { probe } from './doctor/probe.ts';

/** The exit code of a wrong option, as in sysexits.h. */
const usageExitCode = 64;

/** `npm run doctor`: prints what is wrong with this installation and what to do. */
async function main(): Promise<number> {
  const parsed = parseArguments(process.argv.slice(2));
  if (parsed.kind === 'help') {
    process.stdout.write(help);
    return 0;
  }
  if (parsed.kind === 'invalid') {
    process.stderr.write(`${parsed.problem}. See --help.\n`);
    return usageExitCode;
  }
  const { isJson, isProbe, tokenFile } = parsed.given;
  const { config, findings } = await diagnose({ tokenFile });
  if (isProbe && config !== null) findings.push(...(await probe(config.upstream)));
  const exitCode = exitCodeOf(findings);
  process.stdout.write(isJson ? toJson(findings, exitCode) : toText(findings, exitCode));
  return exitCode;
}

function toJson(findings: readonly Finding[], exitCode: number): string {
  return `${JSON.stringify({ exitCode, findings }, null, 2)}\n`;
}

function toText(findings: readonly Finding[], exitCode: number): string {
  const summary = ['No problem was found.', 'There are warnings.', 'There are errors.'][exitCode];
  return `${findings.map(formatFinding).join('\n')}\n\n${summary}\n`;
}

process.exitCode = await main();
