import { vi } from 'vitest';
import { given } from './program-with-secrets.ts';
import { bearer, documents, type Session, writer } from './session.ts';

/** Imports of a file and of a missing one, from URLs that are signed. */
export async function importFiles(session: Session): Promise<void> {
  for (const path of ['/speech.wav', '/missing.wav']) {
    const input = { kind: 'AUDIO', url: signedUrl(session, path) };
    const { importUpload } = await session.ask(writer, documents.importUpload, { input });
    await vi.waitFor(
      async () => {
        const { id } = importUpload.upload;
        const { upload } = await session.ask(writer, documents.uploads, { id });
        if (upload.status === 'RECEIVING') throw new Error('The file is being received.');
      },
      { timeout: 30_000, interval: 100 },
    );
  }
}

const signedUrl = ({ setup }: Session, path: string) =>
  `${setup.files.url(path)}?signature=${given.importSignature}`;

/** Calls to `/mcp` with secrets in their inputs, and by unauthorized callers. */
export async function callTools(session: Session, id: string): Promise<void> {
  const wait = await session.callTool(writer, 'wait_for_lipsync', { id });
  if (!wait.includes('COMPLETED')) throw new Error(`The tool did not answer: ${wait}`);
  const imported = { kind: 'AUDIO', url: signedUrl(session, '/speech.wav') };
  await session.callTool(writer, 'import_upload', imported);
  // Inputs that are rejected with a message that could quote them.
  await session.callTool(writer, 'import_upload', { kind: signedUrl(session, '/'), url: 1 });
  await session.callTool(writer, 'get_lipsync', { id: given.adminKey });
  await session.callTool(writer, 'get_lipsync', { [given.adminKey]: [given.adminKey] });
  await session.callTool(writer, 'no_such_tool', { id: given.adminKey });
  for (const token of [session.setup.expiredJwt, session.setup.forgedJwt, given.strangerKey]) {
    await session.callTool(bearer(token), 'list_lipsyncs', {});
  }
  await session.callTool(null, 'list_lipsyncs', {});
}
