import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { launchBrowser } from '../support/browser.ts';
import { type Graphiql, openGraphiql } from './graphiql-stage.ts';

const run = promisify(execFile);
const folder = join(import.meta.dirname, '../../src/demo-media');
const hasCurl = (process.env.PATH ?? '').split(':').some((each) => existsSync(join(each, 'curl')));

let browser: Browser;
let app: TestApp;
beforeAll(async () => {
  browser = await launchBrowser();
  app = await startTestApp();
});
afterAll(async () => {
  await app.stop();
  await browser.close();
});

const dialogOf = ({ page }: Graphiql) => page.getByRole('dialog', { name: 'Upload audio' });
const open = ({ page }: Graphiql) => page.getByRole('button', { name: 'Upload audio' }).click();
const seeTab = ({ page }: Graphiql) =>
  page.getByRole('tab', { name: 'SpeakAudio', selected: true }).waitFor();

type Waiting = { createUpload: { uploadUrl: string; upload: { id: string } } };

type Variables = { video: string; audio: string };
const readVariables = async (it: Graphiql) =>
  JSON.parse(await it.read('variables.json')) as Variables;

async function readUpload(id: string) {
  const query = 'query ($id: ID!) { upload(id: $id) { kind state filename durationSeconds } }';
  const { data } = await app.ask<{ upload: Record<string, unknown> }>(query, { id });
  return data?.upload;
}

describe('works', () => {
  test('a file is picked, uploaded, and said by the newest video at one click; the watching follows it', async () => {
    await using it = await openGraphiql(browser, app.url);
    await open(it);
    await dialogOf(it).getByLabel('Choose a file').setInputFiles(join(folder, 'speech.mp3'));
    await seeTab(it);
    const { video, audio } = await readVariables(it);
    expect(video).not.toBe('');
    expect(await readUpload(audio)).toMatchObject({
      kind: 'AUDIO',
      state: 'READY',
      filename: 'speech.mp3',
    });

    const { data } = await it.playAndRead('SpeakAudio');
    const created = data?.createLipsync as { __typename: string; lipsync: { id: string } };
    expect(created.__typename).toBe('CreateLipsyncSuccess');
    await it.play('Watch');
    await it.seeResponse('"COMPLETED"', '"url"');
    expect(JSON.parse(await it.read('variables.json'))).toEqual({ lipsync: created.lipsync.id });
  });

  test('without a file at hand there is a sentence, and the next upload goes into the same tab', async () => {
    await using it = await openGraphiql(browser, app.url);
    await open(it);
    await dialogOf(it).getByRole('button', { name: 'Take a sample sentence' }).click();
    await seeTab(it);
    const { audio: first } = await readVariables(it);
    const tabs = await it.tabs();

    // The keyboard is enough: the dialog begins with the file, and the sentence is next to it.
    await it.page.getByRole('button', { name: 'Upload audio' }).press('Enter');
    await dialogOf(it).waitFor();
    await it.page.keyboard.press('Tab');
    await it.page.keyboard.press('Enter');
    await dialogOf(it).waitFor({ state: 'hidden' });
    const { audio: second } = await readVariables(it);
    expect(second).not.toBe(first);
    expect(await readUpload(second)).toMatchObject({ state: 'READY' });
    expect(await it.tabs()).toEqual(tabs);
  });

  test.skipIf(!hasCurl)(
    'the curl of CreateUpload sends a file as it is written there',
    async () => {
      await using it = await openGraphiql(browser, app.url);
      const { data } = await it.playAndRead('CreateUpload');
      const { uploadUrl, upload } = (data as Waiting).createUpload;
      const [, command = ''] = /^#\s+(curl .*)$/m.exec(await it.read('operation.graphql')) ?? [];
      const { stdout } = await run('sh', ['-c', command.replace('<uploadUrl>', uploadUrl)], {
        cwd: folder,
      });
      expect(JSON.parse(stdout)).toMatchObject({ id: upload.id, state: 'READY' });
      expect(await readUpload(upload.id)).toMatchObject({ state: 'READY', filename: 'speech.mp3' });
    },
  );
});

describe('refuses', () => {
  test('what is no audio, in words, and leaves everything as it was', async () => {
    await using it = await openGraphiql(browser, app.url);
    const tabs = await it.tabs();
    await open(it);
    const text = { name: 'notes.mp3', mimeType: 'audio/mpeg', buffer: Buffer.alloc(9_000, 'no ') };
    await dialogOf(it).getByLabel('Choose a file').setInputFiles(text);
    await dialogOf(it).getByText('The content of the file is not WAV or MP3 audio.').waitFor();
    await it.page.keyboard.press('Escape');
    await dialogOf(it).waitFor({ state: 'hidden' });
    expect(await it.tabs()).toEqual(tabs);
  });

  test('a server that is gone, in words', async () => {
    await using gone = await startTestApp();
    const it = await openGraphiql(browser, gone.url);
    await open(it);
    await gone.stop();
    await dialogOf(it).getByRole('button', { name: 'Take a sample sentence' }).click();
    await dialogOf(it).getByText('The connection failed.').waitFor();
    await it.page.context().close();
  });
});
