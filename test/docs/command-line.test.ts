import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { commandsIn, documentedUrl, files, pageOf, root, shapeOf } from './pages.ts';

const run = promisify(execFile);

/** A curl command of a document, and the answer that the document shows for it. */
type Step = { line: number; command: string; answer: unknown };

function stepsOf(file: string): Step[] {
  const { blocks } = pageOf(file);
  return blocks.flatMap((block, at) => {
    if (block.language !== 'sh') return [];
    const { language, role, text } = blocks[at + 1] ?? block;
    const answer: unknown = language === 'json' && role === 'answer' ? JSON.parse(text) : undefined;
    return commandsIn(block)
      .filter((command) => command.startsWith('curl '))
      .map((command) => ({ line: block.line, command, answer }));
  });
}

const documents = files.filter((file) => stepsOf(file).length > 0);
const hasCurl = (process.env.PATH ?? '').split(':').some((each) => existsSync(join(each, 'curl')));

const apiKey = 'the-key-of-this-test';
const sha256 = createHash('sha256').update(apiKey).digest('hex');

describe.skipIf(!hasCurl).each(documents)('%s', (file) => {
  let folder: string;
  let app: TestApp;
  let uploadUrl = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lipsync-curl-'));
    await copyFile(join(root, 'src/demo-media/speech.mp3'), join(folder, 'speech.mp3'));
    const trusted = pageOf(file).blocks.find(({ role }) => role === 'documents');
    const path = join(folder, 'documents.json');
    if (trusted !== undefined) await writeFile(path, trusted.text);
    app = await startTestApp({
      env: {
        API_KEYS: `web:${sha256}:lipsync:read lipsync:write`,
        ...(trusted === undefined ? {} : { TRUSTED_DOCUMENTS: path }),
      },
    });
  });
  afterAll(async () => {
    await app.stop();
    await rm(folder, { recursive: true });
  });

  test.each(stepsOf(file))('line $line: $command', async ({ command, answer }) => {
    const runnable = command
      .replace(`${documentedUrl}/uploads/…`, uploadUrl)
      .replaceAll(documentedUrl, app.url)
      .replaceAll('<key>', apiKey);
    const { stdout } = await run('sh', ['-c', runnable], { cwd: folder });
    const { extensions: _, ...given } = JSON.parse(stdout) as Record<string, unknown>;
    if (answer === undefined) expect(given).not.toHaveProperty('errors');
    else expect(shapeOf(given)).toEqual(shapeOf(answer));
    const { data } = given as { data?: { createUpload?: { uploadUrl: string } } };
    uploadUrl = data?.createUpload?.uploadUrl ?? uploadUrl;
  });
});
