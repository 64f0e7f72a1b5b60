import { type InputIssue, InvalidInputError } from '../../errors.ts';
import { type Cursor, readCursor } from './cursor.ts';
import type { VideoFilter } from './order.ts';

export type VideoPageRequest = {
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
  filter?: { [Name in keyof VideoFilter]?: VideoFilter[Name] | undefined } | null | undefined;
};

/** `older` than the cursor (or all) from the newest on; `newer` than it, those nearest to it. */
export type Range =
  | { direction: 'older'; count: number; cursor: Cursor | null }
  | { direction: 'newer'; count: number; cursor: Cursor };

const defaultCount = 20;
const maxCount = 100;

/** @throws {InvalidInputError} with every rule that is broken, or for a cursor that is none */
export function readRange({ first, after, last, before }: VideoPageRequest): Range {
  const isBackward = isGiven(last) || isGiven(before);
  const issues: InputIssue[] = [...checkCount('first', first), ...checkCount('last', last)];
  if (isBackward && (isGiven(first) || isGiven(after))) {
    issues.push({
      path: nameBackward(last),
      message: 'Ask with first and after, or with last and before.',
    });
  }
  if (isGiven(last) && !isGiven(before)) {
    issues.push({
      path: ['last'],
      message: 'last needs before: this list is read from the newest.',
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

/** Of those that ask backwards, the one that was given. */
function nameBackward(last: VideoPageRequest['last']): string[] {
  return [isGiven(last) ? 'last' : 'before'];
}

function checkCount(name: 'first' | 'last', count: number | null | undefined): InputIssue[] {
  if (!isGiven(count) || (count >= 1 && count <= maxCount)) return [];
  return [{ path: [name], message: `${name} must be from 1 to ${maxCount}.` }];
}

function isGiven<T>(value: T | null | undefined): value is T {
  return value !== null && value !== undefined;
}
