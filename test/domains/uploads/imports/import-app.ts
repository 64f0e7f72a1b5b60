import { vi } from 'vitest';
import { startTestApp, type TestApp, type TestAppOptions } from '../../../support/app.ts';
import { longWait } from '../../../support/lipsyncs.ts';

export type ImportedUpload = {
  id: string;
  kind: string;
  status: string;
  contentType: string;
  size: number | null;
  bytesReceived: number | null;
  sourceUrl: string | null;
  filename: string | null;
  durationSeconds: number | null;
  expiresAt: string | null;
  failure: { code: string; message: string; issues?: { code: string }[] } | null;
};

export type ImportResult = {
  __typename: string;
  upload?: ImportedUpload;
  code?: string;
  issues?: { path: string[]; message: string; code: string }[];
};

const uploadFields = `id kind status contentType size bytesReceived sourceUrl filename durationSeconds
  expiresAt failure { code message ... on InvalidInputError { issues { code } } }`;

const importMutation = `mutation ($input: ImportUploadInput!) { importUpload(input: $input) {
  __typename ... on ImportUploadSuccess { upload { ${uploadFields} } }
  ... on InvalidInputError { issues { path message code } } ... on LipsyncError { code } } }`;

type Headers = Record<string, string>;

/** What tests of imports ask. */
export function importOperations(app: TestApp) {
  async function importUpload(
    input: Record<string, unknown>,
    headers: Headers = {},
  ): Promise<ImportResult> {
    const { data, errors } = await app.ask<{ importUpload: ImportResult }>(
      importMutation,
      { input: { kind: 'AUDIO', ...input } },
      headers,
    );
    if (data == null) throw new Error(JSON.stringify(errors));
    return data.importUpload;
  }

  async function readUpload(id: string, headers: Headers = {}): Promise<ImportedUpload | null> {
    const { data } = await app.ask<{ upload: ImportedUpload | null }>(
      `query ($id: ID!) { upload(id: $id) { ${uploadFields} } }`,
      { id },
      headers,
    );
    return data?.upload ?? null;
  }

  /** Waits until the upload is READY or FAILED. */
  const untilEnd = (id: string, headers: Headers = {}) =>
    vi.waitFor(async () => {
      const upload = await readUpload(id, headers);
      if (upload === null || upload.status === 'RECEIVING')
        throw new Error(`The upload is still ${JSON.stringify(upload)}`);
      return upload;
    }, longWait);

  /** The end of an import. */
  async function importUntilEnd(input: Record<string, unknown>): Promise<ImportedUpload> {
    const { upload } = await importUpload(input);
    if (upload === undefined) throw new Error('The import was refused.');
    return untilEnd(upload.id);
  }

  /** The files that reached the video service. */
  async function sentFiles() {
    type Sent = {
      method: string;
      path: string;
      status?: number | string;
      body?: { bytes: number };
    };
    const all = await app.readSandbox<Sent[]>('requests');
    return all.filter(({ method, path }) => method === 'POST' && path.startsWith('/files'));
  }

  return { importUpload, readUpload, untilEnd, importUntilEnd, sentFiles };
}

/** The app, which may import from this machine. */
export async function startImportApp({ env, ...options }: TestAppOptions = {}) {
  const app = await startTestApp({
    importWaits: { retryMs: 10 },
    ...options,
    env: { OUTBOUND_ALLOWED_NETWORKS: '127.0.0.1', ...env },
  });
  return Object.assign(app, importOperations(app));
}

export type ImportApp = Awaited<ReturnType<typeof startImportApp>>;
