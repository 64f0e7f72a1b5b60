import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { checkInput } from '../../../check-input.ts';
import type { Sql } from '../../../database/connect.ts';
import { type InputIssue, InvalidInputError, QuotaExceededError } from '../../../errors.ts';
import { clipShapeOf, emptyUpload, type NewClip, type Traced, toClip } from '../create.ts';
import type { UploadDependencies } from '../dependencies.ts';
import { filenameShape } from '../filename.ts';
import { unknownType } from '../media-types.ts';
import { insertTraced } from '../spans.ts';
import type { Upload, UploadKind } from '../store.ts';
import { sendImports } from './run.ts';
import { countImports, insertImports } from './store.ts';

export type NewImport = {
  kind: UploadKind;
  url: string;
  filename?: string | null | undefined;
  /** The part of a sound that is used. */
  clip?: NewClip | null | undefined;
};

/** Rows and jobs of imports that have not ended. */
const defaultMaxOpen = 10_000;

/** An arbitrary wait: it is unknown when an import ends. */
const retryAfterSeconds = 30;

const inputShape = (kind: UploadKind) =>
  z.object({ filename: filenameShape, clip: clipShapeOf(kind) });

/** @throws {InvalidInputError} {QuotaExceededError} */
export async function importUpload(
  deps: UploadDependencies,
  owner: string,
  input: NewImport & Traced,
): Promise<Upload> {
  const issues = checkImportUrl(deps, input.url, ['input', 'url']);
  if (issues.length > 0) throw new InvalidInputError(issues);
  const { filename, clip } = checkInput(inputShape(input.kind), input);
  await checkOpenImports(deps, owner, 1);
  const planned = planImport(deps, owner, { ...input, filename, clip });
  const upload = { ...planned, ...input.origin };
  await insertTraced(deps, upload, (traced) =>
    deps.db.transaction((tx) => beginImports(deps, tx, [traced])),
  );
  return upload;
}

/** What is wrong with the URL, if anything. The addresses of its host are checked when it is fetched. */
export function checkImportUrl(
  { outbound }: Pick<UploadDependencies, 'outbound'>,
  url: string,
  path: string[],
): InputIssue[] {
  const problem = outbound.checkUrl(url, 'url');
  return problem === null ? [] : [{ ...problem, path }];
}

/**
 * An owner gets another place only while it has fewer imports than places are free, so that one owner takes at most half.
 * Concurrent calls can exceed the limit by their number.
 *
 * @throws {QuotaExceededError}
 */
export async function checkOpenImports(
  { db, imports: { maxOpen: max = defaultMaxOpen } }: UploadDependencies,
  owner: string,
  count: number,
): Promise<void> {
  const { own, ofAll } = await countImports(db, { owner, max });
  if (own + count <= max - ofAll) return;
  throw new QuotaExceededError('imports at the same time', retryAfterSeconds);
}

/** The row of an import. Nothing is written. */
export function planImport(
  { now }: Pick<UploadDependencies, 'now'>,
  owner: string,
  { kind, url, filename = null, clip }: NewImport,
): Upload {
  const createdAt = now();
  return {
    ...emptyUpload,
    id: randomUUID(),
    owner,
    kind,
    state: 'RECEIVING',
    contentType: unknownType,
    size: null,
    filename,
    ...toClip(clip),
    createdAt,
    expiresAt: createdAt,
    receivingAt: createdAt,
    receivedBytes: 0,
    sourceUrl: url,
  };
}

/** Inserts planned imports and queues their fetching. An import that exists already is not changed. */
export async function beginImports(
  deps: Pick<UploadDependencies, 'jobs'>,
  tx: Sql,
  planned: readonly Upload[],
): Promise<void> {
  if (planned.length === 0) return;
  const inserted = new Set(await insertImports(tx, planned));
  await sendImports(
    deps,
    { tx },
    planned.filter(({ id }) => inserted.has(id)),
  );
}
