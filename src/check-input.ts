import type { z } from 'zod';
import { type InputIssue, InvalidInputError } from './errors.ts';

/** @throws {InvalidInputError} with every issue, each under its path below `input` */
export function checkInput<T>(shape: z.ZodType<T>, input: unknown): T {
  const { data, error } = shape.safeParse(input);
  if (error !== undefined) throw new InvalidInputError(toIssues(error));
  return data;
}

/** As `checkInput`, for a caller that adds issues of its own. */
export function listIssues(shape: z.ZodType, input: unknown): InputIssue[] {
  const { error } = shape.safeParse(input);
  return error === undefined ? [] : toIssues(error);
}

function toIssues({ issues }: z.ZodError): InputIssue[] {
  return issues.map(({ path, message }) => ({ path: ['input', ...path.map(String)], message }));
}
