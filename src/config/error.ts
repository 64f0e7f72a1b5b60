import type { z } from 'zod';

/** `problems` contain the names of variables and never their values, which can be secrets. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(
      `The configuration is not valid:\n${problems.map((problem) => `  ${problem}`).join('\n')}`,
    );
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** A message such as `API_KEYS entry 2 must be …`. */
export function describeIssue({ path: [name, position], message }: z.core.$ZodIssue): string {
  const entry = typeof position === 'number' ? ` entry ${position + 1}` : '';
  return `${String(name)}${entry} ${message}`;
}
