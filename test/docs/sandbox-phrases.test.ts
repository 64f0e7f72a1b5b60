import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { phrases } from '../../src/sandbox/phrases.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { pageOf, root } from './pages.ts';

const rows = pageOf('docs/sandbox-phrases.md').rows.filter(([cell]) => cell?.startsWith('`[['));

/** The phrase, and the type that the last column names first. */
const answers = rows.map(([cell = '', , answer = '']): [string, string] => [
  cell.slice(1, -1),
  /^`(\w+)`/.exec(answer)?.[1] ?? '',
]);

/** Short, because `[[hang]]` never answers. */
const env = { UPSTREAM_TIMEOUT_MS: '4000' };

/** As many as phrases pause one or make it cool down, and one more: an uploaded video may use any of them. */
const accounts = Array.from({ length: 8 }, (_, at) => ({
  email: `studio-${at}@sandbox.example`,
  maxJobs: 8,
}));

let app: TestApp;
let uploadId: string;
beforeAll(async () => {
  app = await startTestApp({ env, sandbox: { accounts } });
  uploadId = await uploadVideo();
});
afterAll(() => app.stop());

async function uploadVideo(): Promise<string> {
  const { data } = await app.ask<{ createUpload: { uploadUrl: string; upload: { id: string } } }>(
    `mutation {
      createUpload(input: { kind: VIDEO, contentType: "video/mp4" }) {
        ... on CreateUploadSuccess { uploadUrl upload { id } }
      }
    }`,
  );
  const folder = join(root, 'src/sandbox/media');
  const [name] = (await readdir(folder, { recursive: true })).filter((each) => /\.mp4$/.test(each));
  const body = await readFile(join(folder, name ?? ''));
  await fetch(data?.createUpload.uploadUrl ?? '', { method: 'PUT', body });
  return data?.createUpload.upload.id ?? '';
}

describe('works', () => {
  test('the documented phrases are those of the sandbox', () => {
    const shown = rows.map(([cell, description]) => [cell, description]);
    expect(shown).toEqual(phrases.map(({ name, description }) => [`\`[[${name}]]\``, description]));
  });

  test.each(answers)('%s answers %s', async (phrase, type) => {
    const { data } = await app.ask<{ createLipsync: { __typename: string } }>(
      'mutation ($input: CreateLipsyncInput!) { createLipsync(input: $input) { __typename } }',
      { input: { video: { uploadId }, speech: { text: { text: `Hello ${phrase}` } } } },
    );
    expect(data?.createLipsync.__typename).toBe(type);
  });
});
