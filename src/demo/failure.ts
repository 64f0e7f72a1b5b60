import { getSystemErrorMessage } from 'node:util';

/** An end that is told in words, without a stack. */
export class DemoFailure extends Error {}

/** The user pressed Ctrl-C. */
export class Interrupted extends Error {}

/** What Node or the network said, for people: `no such file or directory`, without a stack, call or path. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof Error) return reasonOf(error.cause);
  const isSystem = 'errno' in error && typeof error.errno === 'number';
  return isSystem ? getSystemErrorMessage(error.errno as number) : error.message;
}
