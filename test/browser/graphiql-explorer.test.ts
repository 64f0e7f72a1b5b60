import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { schema } from '../../src/schema.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { launchBrowser } from '../support/browser.ts';
import { openGraphiql } from './graphiql-stage.ts';

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

describe('works', () => {
  test('the documentation begins with what this is about, and leads to every description', async () => {
    await using it = await openGraphiql(browser, app.url);
    await it.page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
    const docs = it.page.locator('.graphiql-plugin');
    await docs.getByText('Makes the person in a video speak.').waitFor();

    await docs.getByRole('link', { name: 'Mutation', exact: true }).click();
    await docs.getByRole('link', { name: 'createLipsync', exact: true }).click();
    const { createLipsync } = schema.getMutationType()?.getFields() ?? {};
    await docs.getByText(createLipsync?.description ?? 'nothing').waitFor();
    await docs.getByRole('link', { name: 'CreateLipsyncInput' }).click();
    await docs.getByText('idempotencyKey').waitFor();

    await docs.getByRole('combobox').fill('QuotaExceeded');
    await it.page.getByRole('option').filter({ hasText: 'QuotaExceededError' }).first().click();
    const described = schema.getType('QuotaExceededError')?.description ?? 'nothing';
    await docs.getByText(described).waitFor();
  });

  test('the query builder writes a query of what is ticked, and it answers', async () => {
    await using it = await openGraphiql(browser, app.url);
    await it.page.getByRole('button', { name: 'New tab' }).click();
    await it.page.getByRole('button', { name: 'Show GraphiQL Explorer' }).click();
    const builder = it.page.locator('.graphiql-plugin');
    await builder.getByText('viewer', { exact: true }).click();
    await builder.getByText('authenticated', { exact: true }).click();
    await expect.poll(() => it.read('operation.graphql')).toMatch(/viewer \{\s+authenticated\s+\}/);
    await it.run();
    await it.seeResponse('"authenticated"');
  });

  test('whoever points at a field in the editor reads what it is', async () => {
    await using it = await openGraphiql(browser, app.url);
    await it.page.locator('.view-line').getByText('previewUrl').hover();
    const { previewUrl } = (
      schema.getType('Voice') as { getFields?: () => Record<string, { description: string }> }
    ).getFields?.() ?? { previewUrl: undefined };
    await it.page
      .locator('.monaco-hover')
      .getByText(previewUrl?.description ?? 'nothing')
      .waitFor();
  });
});
