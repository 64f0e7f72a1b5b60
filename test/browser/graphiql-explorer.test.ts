import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { schema } from '../../src/schema.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { launchBrowser } from '../support/browser.ts';
import { type Graphiql, openGraphiql } from './graphiql-page.ts';

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

describe('works', () => {
  test('the documentation explorer shows the schema description and links to every type', async () => {
    await graphiql.page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
    const docs = graphiql.page.locator('.graphiql-plugin');
    const [firstSentence = ''] = schema.description?.split(':') ?? [];
    await docs.getByText(firstSentence).waitFor();

    await docs.getByRole('link', { name: 'Mutation', exact: true }).click();
    await docs.getByRole('link', { name: 'createLipsync', exact: true }).click();
    const { createLipsync } = schema.getMutationType()?.getFields() ?? {};
    await docs.getByText(createLipsync?.description ?? 'nothing').waitFor();
    await docs.getByRole('link', { name: 'CreateLipsyncInput' }).click();
    await docs.getByText('idempotencyKey').waitFor();

    await docs.getByRole('combobox').fill('QuotaExceeded');
    await graphiql.page
      .getByRole('option')
      .filter({ hasText: 'QuotaExceededError' })
      .first()
      .click();
    const described = schema.getType('QuotaExceededError')?.description ?? 'nothing';
    await docs.getByText(described).waitFor();
  });

  test('the query builder writes a query for the ticked fields, which runs', async () => {
    await graphiql.page.getByRole('button', { name: 'New tab' }).click();
    await graphiql.page.getByRole('button', { name: 'Show GraphiQL Explorer' }).click();
    const builder = graphiql.page.locator('.graphiql-plugin');
    await builder.getByText('viewer', { exact: true }).click();
    await builder.getByText('authenticated', { exact: true }).click();
    await expect
      .poll(() => graphiql.read('operation.graphql'))
      .toMatch(/viewer \{\s+authenticated\s+\}/);
    await graphiql.run();
    await graphiql.seeResponse('"authenticated"');
  });

  test('hovering over a field in the editor shows its description', async () => {
    await graphiql.openTab('Voices');
    const { previewUrl } = (
      schema.getType('Voice') as { getFields?: () => Record<string, { description: string }> }
    ).getFields?.() ?? { previewUrl: undefined };
    const description = graphiql.page
      .locator('.monaco-hover')
      .getByText(previewUrl?.description ?? 'nothing');
    // The editor answers a hover only once its language service has the schema, and it does not look again by itself.
    await vi.waitFor(async () => {
      await graphiql.page.mouse.move(0, 0);
      await graphiql.page.locator('.view-line').getByText('previewUrl').hover();
      await description.waitFor({ timeout: 2_000 });
    }, 60_000);
  });
});
