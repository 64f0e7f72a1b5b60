import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  cancelLipsync,
  createLipsync,
  documents,
  uploadFile,
  waitForLipsync,
  webSocket,
} from 'lipsync-graphql-client';
import { describe, expect, test } from 'vitest';
import { generateOperations } from '../../packages/client/scripts/generate.ts';
import { printSdl } from '../../src/schema.ts';
import { startTestApp } from '../support/app.ts';

const sdl = await printSdl();

describe('works', () => {
  test('the committed operations.ts matches the schema and the documents (`npm run schema` writes it)', async () => {
    const committed = await readFile('packages/client/src/operations.ts', 'utf8');
    expect(committed).toBe(await generateOperations(sdl));
  });

  test('a changed schema changes operations.ts', async () => {
    const changed = sdl
      .replace('union LipsyncProgressResult = ', 'union LipsyncProgressResult = QueueFullError | ')
      .replace('reference: String\n', 'reference: Int\n');
    expect(changed.length).not.toBe(sdl.length);
    const before = await generateOperations(sdl);
    expect(await generateOperations(changed)).not.toBe(before);
  });
});

describe('refuses', () => {
  test('a document with a field that the schema does not have', async () => {
    const renamed = sdl.replace('creditsCharged: Float', 'creditsTaken: Float');
    await expect(generateOperations(renamed)).rejects.toThrow('creditsCharged');
  });
});

describe('keeps out', () => {
  test('other documents: a server with TRUSTED_DOCUMENTS of the kit executes only these', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lipsync-documents-'));
    const path = join(folder, 'documents.json');
    await writeFile(path, JSON.stringify(documents));
    await using app = await startTestApp({ env: { TRUSTED_DOCUMENTS: path } });
    const server = { url: `${app.url}/graphql`, transport: webSocket() };
    const missing = { code: 'NOT_FOUND' };
    expect(await cancelLipsync(server, 'none')).toMatchObject(missing);
    expect(await waitForLipsync(server, 'none')).toMatchObject({ failure: missing });
    const input = { video: { videoId: 'none' }, speech: { script: { text: 'Hello.' } } };
    expect(await createLipsync(server, input)).toMatchObject(missing);
    const upload = await uploadFile(server, new Blob(['?']), { kind: 'AUDIO', contentType: '?' });
    expect(upload).toMatchObject({ code: 'INVALID_INPUT' });
    expect((await app.ask('{ viewer { name } }')).errors).toMatchObject([
      { extensions: { code: 'DOCUMENT_NOT_TRUSTED' } },
    ]);
    await rm(folder, { recursive: true });
  });
});
