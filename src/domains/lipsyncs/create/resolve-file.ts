import { InvalidInputError, NotFoundError } from '../../../errors.ts';
import type { Upload, UploadKind } from '../../uploads/service.ts';
import type { LipsyncDependencies } from '../dependencies.ts';

/** The imports of a batch by kind and URL, so that each file is fetched once. */
export type SharedImports = Map<string, Upload>;

/** A file that the request names. */
export type NamedFile = {
  id: string;
  /** Null until the file has arrived. */
  path: string | null;
  durationSeconds: number | null;
  isArriving: boolean;
  /** To be inserted with the lip-sync. */
  imports: Upload[];
};

type Named = {
  /** The input field: `video` or `speech`. */
  name: 'video' | 'speech';
  kind: UploadKind;
  file: { uploadKey: string | null } | { url: string };
};

/** An upload that is READY or arriving, or the import of a URL, which is not stored yet. Throws failures. */
export async function resolveFile(
  { uploads }: Pick<LipsyncDependencies, 'uploads'>,
  { owner, sharedImports }: { owner: string; sharedImports: SharedImports },
  { name, kind, file }: Named,
): Promise<NamedFile> {
  if ('url' in file) {
    const key = `${kind} ${file.url}`;
    const shared = sharedImports.get(key) ?? uploads.planImport(owner, { kind, url: file.url });
    const isNew = !sharedImports.has(key);
    // Before the next statement waits: the other requests of the batch are resolved meanwhile.
    sharedImports.set(key, shared);
    if (isNew) await uploads.checkOpenImports(owner, sharedImports.size);
    return {
      id: shared.id,
      path: null,
      durationSeconds: null,
      isArriving: true,
      imports: [shared],
    };
  }
  const { uploadKey } = file;
  const upload = uploadKey === null ? null : await uploads.findUsable(owner, uploadKey);
  if (upload === null) throw new NotFoundError('A finished or arriving upload with this id');
  if (upload.kind !== kind) {
    const message = `This upload is not of kind ${kind}.`;
    const path = ['input', name, 'uploadId'];
    throw new InvalidInputError([{ path, message, code: 'WRONG_KIND' }]);
  }
  const { id, path, durationSeconds, isArriving } = upload;
  return { id, path, durationSeconds, isArriving, imports: [] };
}
