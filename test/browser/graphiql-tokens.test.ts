import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { schema } from '../../src/schema.ts';
import { createApiKeys } from '../support/api-keys.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { launchBrowser } from '../support/browser.ts';
import { type Graphiql, openGraphiql } from './graphiql-page.ts';

const { env, headers } = createApiKeys({
  ada: ['lipsync:read', 'lipsync:write', 'videos:read'],
});
const { authorization } = headers.ada;

let browser: Browser;
let app: TestApp;
/** One visit for all: loading the page costs seconds. */
let graphiql: Graphiql;
beforeAll(async () => {
  browser = await launchBrowser();
  app = await startTestApp({ env: { ...env, GRAPHIQL: 'true', INTROSPECTION: 'authenticated' } });
  graphiql = await openGraphiql(browser, app.url);
});
beforeEach(() => graphiql.write('request-headers.json', ''));
afterAll(async () => {
  await graphiql[Symbol.asyncDispose]();
  await app.stop();
  await browser.close();
});

/** Sets the token in the headers of the open tab. Each tab has its own headers. */
async function signIn(): Promise<void> {
  await graphiql.page.getByRole('button', { name: 'Headers', exact: true }).click();
  await graphiql.write('request-headers.json', JSON.stringify({ authorization }));
}

describe('works', () => {
  test('sends the token in the headers with queries, mutations and connection_init', async () => {
    await graphiql.play('Voices');
    await graphiql.seeResponse('"NOT_AUTHENTICATED"');

    await signIn();
    await graphiql.run();
    await graphiql.seeResponse('"previewUrl"');

    // The other tabs use it too.
    expect(await graphiql.playAndRead('Videos')).toHaveProperty('data.videos.nodes.0.id');
    expect(await graphiql.playAndRead('CreateLipsync')).toHaveProperty(
      'data.createLipsync.__typename',
      'CreateLipsyncSuccess',
    );
    await graphiql.play('Watch');
    await graphiql.seeResponse('"COMPLETED"');
    const [first, second] = graphiql.sentFrames.map((frame) => JSON.parse(frame) as object);
    expect(first).toEqual({ type: 'connection_init', payload: { authorization } });
    expect(JSON.stringify(second)).not.toContain('Bearer');

    await graphiql.openTab('Voices');
    await graphiql.write('request-headers.json', '');
    await graphiql.run();
    await graphiql.seeResponse('"NOT_AUTHENTICATED"');
    await graphiql.openTab('NoSuchPage');
    expect(await graphiql.read('request-headers.json')).toBe('');
  });

  test('refetches the schema with the token when introspection requires it', async () => {
    await graphiql.page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
    await graphiql.page.getByText('Error fetching schema').waitFor();
    await signIn();
    await graphiql.page.getByRole('button', { name: /Re-fetch GraphQL schema/ }).click();
    const [firstSentence = ''] = schema.description?.split(':') ?? [];
    await graphiql.page.getByText(firstSentence).waitFor();
  });

  test('sends the token with an upload', async () => {
    await graphiql.page.getByRole('button', { name: 'Upload audio' }).click();
    const dialog = graphiql.page.getByRole('dialog', { name: 'Upload audio' });
    await dialog.getByRole('button', { name: 'Take a sample sentence' }).click();
    await dialog.getByText(/sign in|authenticat|credentials/i).waitFor();
    await graphiql.page.keyboard.press('Escape');

    await signIn();
    await graphiql.page.getByRole('button', { name: 'Upload audio' }).click();
    await dialog.getByRole('button', { name: 'Take a sample sentence' }).click();
    await graphiql.page.getByRole('tab', { name: 'SpeakAudio', selected: true }).waitFor();
  });
});

describe('keeps out', () => {
  test('the token from the URL, the browser storage and the requested URLs', async () => {
    await graphiql.openTab('Voices');
    await signIn();
    await graphiql.runAndRead('Voices');
    await graphiql.openTab('Videos');
    await graphiql.page.waitForFunction(
      () => JSON.parse(localStorage.getItem('graphiql:tabState') ?? '{}').activeTabIndex === 1,
    );
    const stored = await graphiql.page.evaluate(() =>
      JSON.stringify([localStorage, sessionStorage]),
    );
    const [, key = ''] = authorization.split(' ');
    expect(stored).not.toContain(key);
    expect(graphiql.page.url()).not.toContain(key);
    expect(graphiql.requestedUrls.map(String).filter((url) => url.includes(key))).toEqual([]);
    await graphiql.reload();
    expect(await graphiql.read('request-headers.json')).not.toContain(key);
  });
});
