import { getSystemErrorMessage } from 'node:util';

/** Ends the demo with its message, without a stack. */
export class DemoFailure extends Error {}

/** The user pressed Ctrl-C. */
export class Interrupted extends Error {}

/** The reason of a system or network error for people, such as `no such file or directory`: no stack, call or path. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof Error) return reasonOf(error.cause);
  const isSystem = 'errno' in error && typeof error.errno === 'number';
  return isSystem ? getSystemErrorMessage(error.errno as number) : error.message;
}
