import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApiKeys } from '../support/api-keys.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { launchBrowser } from '../support/browser.ts';
import { type Graphiql, openGraphiql } from './graphiql-stage.ts';

const { env, headers } = createApiKeys({
  ada: ['lipsync:read', 'lipsync:write', 'videos:read'],
});
const { authorization } = headers.ada;

let browser: Browser;
let app: TestApp;
beforeAll(async () => {
  browser = await launchBrowser();
  app = await startTestApp({ env: { ...env, GRAPHIQL: 'true', INTROSPECTION: 'authenticated' } });
});
afterAll(async () => {
  await app.stop();
  await browser.close();
});

/** Into the headers of the tab that is open: each tab has its own. */
async function signIn(it: Graphiql): Promise<void> {
  await it.page.getByRole('button', { name: 'Headers', exact: true }).click();
  await it.write('request-headers.json', JSON.stringify({ authorization }));
}

describe('works', () => {
  test('a token in the headers goes with queries, mutations, and the first message of a WebSocket', async () => {
    await using it = await openGraphiql(browser, app.url);
    await it.play('Voices');
    await it.seeResponse('"NOT_AUTHENTICATED"');

    await signIn(it);
    await it.run();
    await it.seeResponse('"previewUrl"');

    // The other tabs take it along.
    expect(await it.playAndRead('Videos')).toHaveProperty('data.videos.nodes.0.id');
    expect(await it.playAndRead('CreateLipsync')).toHaveProperty(
      'data.createLipsync.__typename',
      'CreateLipsyncSuccess',
    );
    await it.play('Watch');
    await it.seeResponse('"COMPLETED"');
    const [first, second] = it.sent.map((frame) => JSON.parse(frame) as object);
    expect(first).toEqual({ type: 'connection_init', payload: { authorization } });
    expect(JSON.stringify(second)).not.toContain('Bearer');

    await it.openTab('Voices');
    await it.write('request-headers.json', '');
    await it.run();
    await it.seeResponse('"NOT_AUTHENTICATED"');
    await it.openTab('NoSuchPage');
    expect(await it.read('request-headers.json')).toBe('');
  });

  test('the schema is read anew with the token, where it is told to those who are signed in', async () => {
    await using it = await openGraphiql(browser, app.url);
    await it.page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
    await it.page.getByText('Error fetching schema').waitFor();
    await signIn(it);
    await it.page.getByRole('button', { name: /Re-fetch GraphQL schema/ }).click();
    await it.page.getByText('Makes the person in a video speak.').waitFor();
  });

  test('the token goes with an upload', async () => {
    await using it = await openGraphiql(browser, app.url);
    await it.page.getByRole('button', { name: 'Upload audio' }).click();
    const dialog = it.page.getByRole('dialog', { name: 'Upload audio' });
    await dialog.getByRole('button', { name: 'Take a sample sentence' }).click();
    await dialog.getByText(/sign in|authenticat|credentials/i).waitFor();
    await it.page.keyboard.press('Escape');

    await signIn(it);
    await it.page.getByRole('button', { name: 'Upload audio' }).click();
    await dialog.getByRole('button', { name: 'Take a sample sentence' }).click();
    await it.page.getByRole('tab', { name: 'SpeakAudio', selected: true }).waitFor();
  });
});

describe('keeps out', () => {
  test('the token from wherever it would stay: the address, what the browser keeps, and other places', async () => {
    await using it = await openGraphiql(browser, app.url);
    await signIn(it);
    await it.runAndRead('Voices');
    await it.openTab('Videos');
    await it.page.waitForFunction(
      () => JSON.parse(localStorage.getItem('graphiql:tabState') ?? '{}').activeTabIndex === 1,
    );
    const kept = await it.page.evaluate(() => JSON.stringify([localStorage, sessionStorage]));
    const [, key = ''] = authorization.split(' ');
    expect(kept).not.toContain(key);
    expect(it.page.url()).not.toContain(key);
    expect(it.asked.map(String).filter((url) => url.includes(key))).toEqual([]);
    await it.reload();
    expect(await it.read('request-headers.json')).not.toContain(key);
  });
});
