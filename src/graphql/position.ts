import { isUuid } from '../database/uuid.ts';
import { InvalidInputError } from '../errors.ts';
import { type Page, type PageArgs, pageOf } from './paging.ts';

/** A position in a list that is ordered by creation time and then by id, which is a UUID. */
export type Position = { createdAt: Date; id: string };

/** The cursor of an item in such a list. */
export function writePosition({ createdAt, id }: Position): string {
  return Buffer.from(`${createdAt.getTime()}:${id}`).toString('base64url');
}

export type PositionPage = Omit<Page, 'after' | 'before'> & {
  after: Position | null;
  before: Position | null;
};

/** @throws InvalidInputError like `pageOf`, and for a text that `writePosition` cannot have written */
export function positionPageOf(args: PageArgs): { page: Page; positions: PositionPage } {
  const page = pageOf(args);
  const after = readPosition('after', page.after);
  return { page, positions: { ...page, after, before: readPosition('before', page.before) } };
}

function readPosition(argument: 'after' | 'before', cursor: string | null): Position | null {
  if (cursor === null) return null;
  const [ms, id] = Buffer.from(cursor, 'base64url').toString('utf8').split(':');
  const position = { createdAt: new Date(Number(ms)), id: id ?? '' };
  if (isStorable(position) && writePosition(position) === cursor) return position;
  const message = 'The cursor does not belong to this list.';
  throw new InvalidInputError([{ path: [argument], message, code: 'INVALID_CURSOR' }]);
}

/** Whether the database accepts the position. */
function isStorable({ createdAt, id }: Position): boolean {
  const ms = createdAt.getTime();
  return ms >= 0 && ms < Date.UTC(10_000, 0) && isUuid(id);
}
