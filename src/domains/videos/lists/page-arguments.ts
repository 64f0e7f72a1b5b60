import { type InputIssue, InvalidInputError } from '../../../errors.ts';
import { type Cursor, readCursor } from './cursor.ts';
import type { VideoFilter } from './order.ts';

export type VideoPageRequest = {
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
  filter?: { [Name in keyof VideoFilter]?: VideoFilter[Name] | undefined } | null | undefined;
};

/** `older`: the newest videos after the cursor, or of the whole list. `newer`: the videos nearest before the cursor. */
export type PageRange =
  | { direction: 'older'; count: number; cursor: Cursor | null }
  | { direction: 'newer'; count: number; cursor: Cursor };

const defaultCount = 20;
const maxCount = 100;

/** @throws {InvalidInputError} with every invalid argument, or for an invalid cursor */
export function parsePageArguments({ first, after, last, before }: VideoPageRequest): PageRange {
  const isBackward = isGiven(last) || isGiven(before);
  const issues: InputIssue[] = [...checkCount('first', first), ...checkCount('last', last)];
  if (isBackward && (isGiven(first) || isGiven(after))) {
    issues.push({
      path: [backwardArgument(last)],
      message: 'Use first and after, or last and before, but not both.',
      code: 'NOT_COMBINABLE',
    });
  }
  if (isGiven(last) && !isGiven(before)) {
    issues.push({
      path: ['last'],
      message: 'last requires before: the list is read from the newest video.',
      code: 'REQUIRED',
    });
  }
  if (issues.length > 0) throw new InvalidInputError(issues);
  if (isGiven(before)) {
    const cursor = readCursor('before', before);
    return { direction: 'newer', count: last ?? defaultCount, cursor };
  }
  const cursor = isGiven(after) ? readCursor('after', after) : null;
  return { direction: 'older', count: first ?? defaultCount, cursor };
}

/** The given argument of `last` and `before`; `last` if both are. */
function backwardArgument(last: VideoPageRequest['last']): string {
  return isGiven(last) ? 'last' : 'before';
}

function checkCount(name: 'first' | 'last', count: number | null | undefined): InputIssue[] {
  if (!isGiven(count) || (count >= 1 && count <= maxCount)) return [];
  const message = `${name} must be from 1 to ${maxCount}.`;
  return [{ path: [name], message, code: 'OUT_OF_RANGE' }];
}

function isGiven<T>(value: T | null | undefined): value is T {
  return value !== null && value !== undefined;
}
