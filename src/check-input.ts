import type { z } from 'zod';
import {
  type InputIssue,
  type InputIssueCode,
  InvalidInputError,
  inputIssueCodes,
} from './errors.ts';

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
  return issues.map((issue) => ({
    path: ['input', ...issue.path.map(String)],
    message: issue.message,
    code: issueCodeOf(issue),
  }));
}

/** A custom rule has the code that it gave to `breaks`. The other codes follow from zod's rules about sizes. */
function issueCodeOf(issue: z.core.$ZodIssue): InputIssueCode {
  if (issue.code === 'custom') return codeInParams(issue.params) ?? 'INVALID';
  if (issue.code !== 'too_small' && issue.code !== 'too_big') return 'INVALID';
  if (issue.origin === 'number' || issue.origin === 'int') return 'OUT_OF_RANGE';
  return issue.code === 'too_small' ? 'REQUIRED' : 'TOO_LONG';
}

function codeInParams(params: Record<string, unknown> | undefined): InputIssueCode | undefined {
  return inputIssueCodes.find((code) => code === params?.issueCode);
}

/** The options of a custom zod rule: the code and the message of its issue. */
export function breaks(code: InputIssueCode, message: string) {
  return { error: message, params: { issueCode: code } };
}
