import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type FileServer, openFileServer, sendFile } from '../../../test/support/file-server.ts';
import { longWait } from '../../../test/support/lipsyncs.ts';
import { wavHeader } from '../../../test/support/wav.ts';
import { openBrowser, videosOn } from './browser.ts';
import { holdFile } from './held-file.ts';
import { startTestPage, type TestPage } from './test-page.ts';
import { listJobs, type Visit, visit } from './visit.ts';

const media = join(import.meta.dirname, '../../../src');
const audioFile = join(media, 'demo-media/speech.mp3');
const videoFile = join(media, 'sandbox/media/source-2.mp4');

/** Of 95 seconds, with 8 kB for each. */
const longSound = Buffer.concat([
  wavHeader(760_000, { bytesPerSample: 1 }),
  Buffer.alloc(760_000, 0x80),
]);
const longFile = { name: 'talk.wav', mimeType: 'audio/wav', buffer: longSound };
const heldVideo = holdFile(await readFile(videoFile), 'video/mp4');
const heldAudio = holdFile(await readFile(audioFile), 'audio/mpeg');

let browser: Browser;
let testPage: TestPage;
let files: FileServer;
let visitor: Visit;

beforeAll(async () => {
  browser = await openBrowser();
  testPage = await startTestPage({ env: { OUTBOUND_ALLOWED_NETWORKS: '127.0.0.1' } });
  files = await openFileServer({
    '/face.mp4': heldVideo.handler,
    '/voice%20memo.mp3': heldAudio.handler,
    '/talk.wav': sendFile(longSound),
    '/late.mp3': async (response, n) => {
      if (n === 1) response.writeHead(404).end();
      else sendFile(await readFile(audioFile), 'audio/mpeg')(response, n, response.req);
    },
  });
});
afterAll(async () => {
  await browser.close();
  await testPage.close();
  files.close();
});
beforeEach(async () => {
  visitor = await visit(browser, testPage);
  await videosOn(visitor.page).first().check();
});
afterEach(() => visitor.close());

const chooseSource = (kind: string) => visitor.page.getByText(kind, { exact: true }).click();
const part = (name: 'Video' | 'Speech') => visitor.page.getByRole('group', { name, exact: true });

/** Has the server fetch a file. */
async function fetchUrl(name: 'Video' | 'Speech', path: string): Promise<void> {
  await part(name)
    .getByLabel(/^Or the URL of/)
    .fill(files.url(path));
  await part(name).getByRole('button', { name: 'Fetch', exact: true }).click();
}

/** The input of the newest lip-sync. */
async function readNewest() {
  type Upload = { filename: string | null; contentType: string; durationSeconds: number } | null;
  type Newest = { sourceUpload: Upload; speechUpload: Upload };
  const { data } = await testPage.app.ask<{ lipsyncs: { nodes: Newest[] } }>(
    `{ lipsyncs(first: 1) { nodes {
      sourceUpload { filename contentType durationSeconds }
      speechUpload { filename contentType durationSeconds }
    } } }`,
  );
  return data?.lipsyncs.nodes[0];
}

describe('works', () => {
  test('an MP3 is uploaded unchanged', async () => {
    const { page, submit, see } = visitor;
    await chooseSource('Upload');
    await page.getByLabel('Choose an audio file').setInputFiles(audioFile);
    await see('speech.mp3, 0:07');
    await submit();
    await see('The speech is an audio file.', 'Your video is ready');
    expect((await listJobs(testPage)).at(-1)?.request.audioPath).toMatch(/\.mp3$/);
  });

  test('a recording is uploaded as the browser records it, and becomes a video', async () => {
    const { page, submit, see } = visitor;
    await chooseSource('Record');
    await page.getByRole('button', { name: 'Record', exact: true }).click();
    await see(/0:(?:0[2-9]|[1-5]\d) of 1:00/);
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByLabel('Listen to Your recording').waitFor();
    await see(/Your recording, 0:(?:0[2-9]|[1-5]\d)/);
    await submit();
    await see('The speech is an audio file.', 'Your video is ready');
    const { speechUpload } = (await readNewest()) ?? {};
    // The type is that of the bytes which the server received.
    expect(speechUpload).toMatchObject({ filename: 'Your recording', contentType: 'audio/webm' });
    expect(speechUpload?.durationSeconds).toBeGreaterThan(1.5);
    const saved = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Download' }).click();
    expect((await saved).suggestedFilename()).toBe('Your recording.mp4');
  });

  test('a file with an unknown extension is used', async () => {
    const { page, see } = visitor;
    await chooseSource('Upload');
    await page.getByLabel('Choose an audio file').setInputFiles({
      name: 'voice.video',
      mimeType: 'video/webm',
      buffer: await readFile(join(media, '../test/domains/uploads/sounds/recorder.webm')),
    });
    await see(/voice\.video, 0:0/);
  });

  test('a part of a long file is chosen, played and used', async () => {
    const { page, see, submit } = visitor;
    await chooseSource('Upload');
    await page.getByLabel('Choose an audio file').setInputFiles(longFile);
    await see(
      'talk.wav has 1:35. Choose a part of at most 60 seconds.',
      'From 0:00 to 1:00 of 1:35',
    );
    await page.getByLabel('Start, in seconds').fill('71,5');
    await page.getByLabel('Length, in seconds').fill('2.5');
    await see('From 1:11 to 1:14 of 1:35');
    const slider = page.getByRole('slider', { name: 'Start of the part' });
    expect(await slider.inputValue()).toBe('71.5');
    await slider.press('ArrowLeft');
    expect(await page.getByLabel('Start, in seconds').inputValue()).toBe('71.4');

    await page.getByRole('button', { name: 'Play this part' }).click();
    // It ends by itself, at the end of the part.
    await page.waitForFunction(() => {
      const { paused, currentTime } = document.querySelector('audio') as HTMLAudioElement;
      return paused && currentTime >= 73.9 && currentTime < 95;
    });

    await page.getByRole('button', { name: 'Use this part' }).click();
    await see('talk.wav, 0:02, from 1:11');
    await submit();
    await see('The speech is an audio file.', 'Your video is ready');
    expect((await readNewest())?.speechUpload?.durationSeconds).toBe(2.5);
  });

  test('a video and audio on the web are fetched, with their progress, also for a waiting lip-sync', async () => {
    const { page, see, submit, waitUntilGone } = visitor;
    await fetchUrl('Video', '/face.mp4');
    await see('Fetching face.mp4', /^\d+ kB of 147 kB$/);
    await page.getByRole('progressbar', { name: 'Fetching face.mp4' }).waitFor();
    heldVideo.release();
    await see('face.mp4 is selected');

    await chooseSource('Upload');
    await fetchUrl('Speech', '/voice%20memo.mp3');
    await see('Fetching voice memo.mp3', /^\d+ kB of 63 kB$/);
    await submit();
    await see('Waiting for your file');
    heldAudio.release();
    await see('Your video is ready');
    await waitUntilGone('Fetching voice memo.mp3');
    await see('voice memo.mp3, 0:07');
    const job = (await listJobs(testPage)).at(-1);
    expect(job?.request.audioPath).toMatch(/\.mp3$/);
    expect(job?.request.videoPath).toBeDefined();
  });

  test('a part of long audio on the web is chosen', async () => {
    const { page, see, submit } = visitor;
    await chooseSource('Upload');
    await fetchUrl('Speech', '/talk.wav');
    await see('talk.wav has 1:35. Choose a part of at most 60 seconds.');
    await page.getByLabel('Length, in seconds').fill('2');
    await page.getByRole('button', { name: 'Use this part' }).click();
    await see('talk.wav, 0:02');
    await submit();
    await see('The speech is an audio file.', 'Your video is ready');
  });

  test('uploads are filled in to make a video again; the user is asked for deleted ones', async () => {
    const { page, see, submit, waitUntilGone } = visitor;
    await page.getByLabel('Upload a video').setInputFiles(videoFile);
    await see('source-2.mp4 is selected');
    await chooseSource('Upload');
    await page.getByLabel('Choose an audio file').setInputFiles(audioFile);
    await see('speech.mp3, 0:07');
    await submit();
    await see('Your video is ready');
    expect((await listJobs(testPage)).at(-1)?.request.videoPath).toBeDefined();

    await chooseSource('Type');
    await videosOn(page).first().check();
    await page.getByRole('button', { name: 'Make again' }).click();
    await see('The form is filled in as before.', 'source-2.mp4 is selected', 'speech.mp3, 0:07');
    const count = (await listJobs(testPage)).length;
    await submit();
    await expect.poll(async () => (await listJobs(testPage)).length, longWait).toBe(count + 1);
    // Until the page shows the new lip-sync, it shows that the one before is ready.
    await waitUntilGone('Your video is ready');
    await see('Your video is ready');

    type Uploads = { viewer: { uploads: { nodes: { id: string }[] } } };
    const { data } = await testPage.app.ask<Uploads>(
      '{ viewer { uploads(first: 2) { nodes { id } } } }',
    );
    const remove = 'mutation ($id: ID!) { deleteUpload(input: { id: $id }) { __typename } }';
    for (const { id } of data?.viewer.uploads.nodes ?? []) {
      // An upload of a lip-sync that has not ended cannot be deleted.
      await expect
        .poll(async () => (await testPage.app.ask(remove, { id })).data, longWait)
        .toEqual({ deleteUpload: { __typename: 'DeleteUploadSuccess' } });
    }
    await page.getByRole('button', { name: 'Make again' }).click();
    await see(
      'The uploaded video of that lip-sync is no longer stored.',
      'The audio of that lip-sync is no longer stored.',
    );
    await submit();
    await see('Choose or upload a video.', 'Choose an audio file.');
    await videosOn(page).first().check();
    await waitUntilGone('The uploaded video of that lip-sync is no longer stored.');
    await page.getByLabel('Choose an audio file').setInputFiles(audioFile);
    await see('speech.mp3, 0:07');
    await waitUntilGone('The audio of that lip-sync is no longer stored.');
  });

  test('voices and videos have previews', async () => {
    const { page } = visitor;
    await page.getByRole('button', { name: 'Listen to Isabella' }).click();
    await page.getByRole('button', { name: 'Stop Isabella' }).waitFor();
    await page.getByRole('button', { name: 'Listen to James' }).click();
    await page.getByRole('button', { name: 'Listen to Isabella' }).waitFor();
    // The preview ends by itself.
    await page.getByRole('button', { name: 'Listen to James' }).waitFor();
    await page
      .getByRole('button', { name: /^Play a preview of / })
      .first()
      .click();
    await page.getByRole('button', { name: /^Stop the preview of / }).waitFor();
    expect(await videosOn(page).first().isChecked()).toBe(true);
  });
});

describe('refuses', () => {
  test('a file that is not audio', async () => {
    const { page, see } = visitor;
    await chooseSource('Upload');
    const buffer = Buffer.from('Just some notes.');
    const file = { name: 'notes.mp3', mimeType: 'audio/mpeg', buffer };
    await page.getByLabel('Choose an audio file').setInputFiles(file);
    await see('The file was not accepted', 'not audio of an accepted type');
  });

  test('to lose a file silently: a broken upload offers a retry', async () => {
    const { page, see } = visitor;
    await chooseSource('Upload');
    await page.route('**/uploads/**', (route) => route.abort('connectionreset'), { times: 1 });
    await page.getByLabel('Choose an audio file').setInputFiles(audioFile);
    await see('No connection');
    await page.getByRole('button', { name: 'Retry upload' }).click();
    await see('speech.mp3, 0:07');
  });

  test('a malformed URL, and one without a file until there is one, with the reason', async () => {
    const { page, see, waitUntilGone } = visitor;
    await chooseSource('Upload');
    await part('Speech')
      .getByLabel(/^Or the URL of/)
      .fill('ftp://files.example/a.mp3');
    await page.keyboard.press('Enter');
    await see('The URL cannot be used');
    await fetchUrl('Speech', '/late.mp3');
    await see('The file could not be fetched', 'answered with the status 404');
    await page.getByRole('button', { name: 'Fetch again' }).click();
    await see('late.mp3, 0:07');
    await waitUntilGone('The file could not be fetched');
  });
});
