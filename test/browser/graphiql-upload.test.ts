import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { launchBrowser } from '../support/browser.ts';
import { type Graphiql, openGraphiql } from './graphiql-page.ts';

const run = promisify(execFile);
const folder = join(import.meta.dirname, '../../src/demo-media');
const hasCurl = (process.env.PATH ?? '').split(':').some((each) => existsSync(join(each, 'curl')));

let browser: Browser;
let app: TestApp;
/** One visit for all: loading the page costs seconds. */
let graphiql: Graphiql;
beforeAll(async () => {
  browser = await launchBrowser();
  app = await startTestApp();
  graphiql = await openGraphiql(browser, app.url);
});
afterAll(async () => {
  await graphiql[Symbol.asyncDispose]();
  await app.stop();
  await browser.close();
});

const dialogOf = ({ page }: Graphiql) => page.getByRole('dialog', { name: 'Upload audio' });
const open = ({ page }: Graphiql) => page.getByRole('button', { name: 'Upload audio' }).click();
const seeTab = ({ page }: Graphiql) =>
  page.getByRole('tab', { name: 'SpeakAudio', selected: true }).waitFor();

type Waiting = { createUpload: { uploadUrl: string; upload: { id: string } } };

type Variables = { video: string; audio: string };
const readVariables = async (graphiql: Graphiql) =>
  JSON.parse(await graphiql.read('variables.json')) as Variables;

async function readUpload(id: string) {
  const query = 'query ($id: ID!) { upload(id: $id) { kind status filename durationSeconds } }';
  const { data } = await app.ask<{ upload: Record<string, unknown> }>(query, { id });
  return data?.upload;
}

describe('works', () => {
  test('uploads a chosen file, and one click makes the newest video speak it', async () => {
    await open(graphiql);
    await dialogOf(graphiql).getByLabel('Choose a file').setInputFiles(join(folder, 'speech.mp3'));
    await seeTab(graphiql);
    const { video, audio } = await readVariables(graphiql);
    expect(video).not.toBe('');
    expect(await readUpload(audio)).toMatchObject({
      kind: 'AUDIO',
      status: 'READY',
      filename: 'speech.mp3',
    });

    const { data } = await graphiql.playAndRead('SpeakAudio');
    const created = data?.createLipsync as { __typename: string; lipsync: { id: string } };
    expect(created.__typename).toBe('CreateLipsyncSuccess');
    await graphiql.play('Watch');
    await graphiql.seeResponse('"COMPLETED"', '"url"');
    expect(JSON.parse(await graphiql.read('variables.json'))).toEqual({
      lipsync: created.lipsync.id,
    });
  });

  test('uploads a sample sentence, and uses the same tab for the next upload', async () => {
    await open(graphiql);
    await dialogOf(graphiql).getByRole('button', { name: 'Take a sample sentence' }).click();
    await seeTab(graphiql);
    const { audio: first } = await readVariables(graphiql);
    const tabs = await graphiql.tabs();

    // With the keyboard: the focus starts at the file input, the sample button is next.
    await graphiql.page.getByRole('button', { name: 'Upload audio' }).press('Enter');
    await dialogOf(graphiql).waitFor();
    await graphiql.page.keyboard.press('Tab');
    await graphiql.page.keyboard.press('Enter');
    await dialogOf(graphiql).waitFor({ state: 'hidden' });
    const { audio: second } = await readVariables(graphiql);
    expect(second).not.toBe(first);
    expect(await readUpload(second)).toMatchObject({ status: 'READY' });
    expect(await graphiql.tabs()).toEqual(tabs);
  });

  test.skipIf(!hasCurl)('the curl command in CreateUpload uploads a file as written', async () => {
    const { data } = await graphiql.playAndRead('CreateUpload');
    const { uploadUrl, upload } = (data as Waiting).createUpload;
    const [, command = ''] =
      /^#\s+(curl .*)$/m.exec(await graphiql.read('operation.graphql')) ?? [];
    const { stdout } = await run('sh', ['-c', command.replace('<uploadUrl>', uploadUrl)], {
      cwd: folder,
    });
    expect(JSON.parse(stdout)).toMatchObject({ id: upload.id, status: 'READY' });
    expect(await readUpload(upload.id)).toMatchObject({ status: 'READY', filename: 'speech.mp3' });
  });
});

describe('refuses', () => {
  test('a file that is not audio, with a message, and changes no tab', async () => {
    const tabs = await graphiql.tabs();
    await open(graphiql);
    const text = { name: 'notes.mp3', mimeType: 'audio/mpeg', buffer: Buffer.alloc(9_000, 'no ') };
    await dialogOf(graphiql).getByLabel('Choose a file').setInputFiles(text);
    await dialogOf(graphiql)
      .getByText('The content of the file is not audio of an accepted type')
      .waitFor();
    await graphiql.page.keyboard.press('Escape');
    await dialogOf(graphiql).waitFor({ state: 'hidden' });
    expect(await graphiql.tabs()).toEqual(tabs);
  });

  test('an upload to a stopped server, with a message', async () => {
    await using gone = await startTestApp();
    const visitor = await openGraphiql(browser, gone.url);
    await open(visitor);
    await gone.stop();
    await dialogOf(visitor).getByRole('button', { name: 'Take a sample sentence' }).click();
    await dialogOf(visitor)
      .getByText(/connection/i)
      .waitFor();
    await visitor.page.context().close();
  });
});
