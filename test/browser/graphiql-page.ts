import type { Browser, Request } from 'playwright-core';
import { expect } from 'vitest';

type Result = { data?: Record<string, unknown>; errors?: unknown[] };

export type Graphiql = Awaited<ReturnType<typeof openGraphiql>>;

/**
 * Opens GraphiQL in a new browser context, as on a first visit. Disposing it fails if the page sent a request to another
 * host or logged an error, for example because of its content security policy.
 *
 * @param url the server, without the path
 * @param search the query string, including the `?`
 */
export async function openGraphiql(browser: Browser, url: string, search = '') {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  const requestedUrls: URL[] = [];
  const pageErrors: string[] = [];
  page.on('request', (request) => requestedUrls.push(new URL(request.url())));
  /** The frames that the page sent over WebSockets. */
  const sentFrames: string[] = [];
  page.on('websocket', (socket) => {
    requestedUrls.push(new URL(socket.url()));
    socket.on('framesent', ({ payload }) => sentFrames.push(String(payload)));
  });
  page.on('pageerror', (error) => pageErrors.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') pageErrors.push(message.text());
  });

  const ready = () => page.getByRole('button', { name: /Execute query/ }).waitFor();
  const pane = page.locator('.graphiql-response');
  /** Waits for the tab's content too: GraphiQL would overwrite an earlier `write` with it. */
  const openTab = async (name: string) => {
    await page.getByRole('tablist').getByRole('button', { name, exact: true }).click();
    await expect.poll(() => page.evaluate(readModel, 'operation.graphql')).toContain(name);
  };
  const run = () => page.getByRole('button', { name: /Execute query/ }).click();
  /** Opens a tab and presses the play button without editing anything. */
  const play = async (name: string) => {
    await openTab(name);
    await run();
  };

  const readResponse = async (name: string, start: () => Promise<void>) => {
    const [response] = await Promise.all([
      page.waitForResponse((each) => operationNameOf(each.request()) === name),
      start(),
    ]);
    return (await response.json()) as Result;
  };

  await page.goto(`${url}/graphql${search}`);
  await ready();
  return {
    page,
    requestedUrls,
    sentFrames,
    openTab,
    run,
    play,
    /** Plays a tab and returns its HTTP response. */
    playAndRead: (name: string) => readResponse(name, () => play(name)),
    /** Runs the open tab and returns its HTTP response. */
    runAndRead: (name: string) => readResponse(name, run),
    /** Waits until the response pane shows each text. The editor renders spaces as U+00A0, and only visible lines. */
    async seeResponse(...texts: string[]): Promise<void> {
      for (const each of texts) {
        await pane.filter({ hasText: new RegExp(each.replaceAll(' ', '\\s')) }).waitFor();
      }
    },
    tabs: () => page.getByRole('tab').allInnerTexts(),
    /** The content of an editor of the open tab: `variables.json`, `request-headers.json`. */
    read: (name: string) => page.evaluate(readModel, name),
    /** Replaces the content of an editor, as pasting does. */
    write: (name: string, text: string) => page.evaluate(writeModel, { name, text }),
    async reload(): Promise<void> {
      await page.reload();
      await ready();
    },
    async [Symbol.asyncDispose](): Promise<void> {
      const hosts = requestedUrls.filter(({ protocol }) => !/^(blob|data):$/.test(protocol));
      await context.close();
      expect([...new Set(hosts.map(({ host }) => host))]).toEqual([new URL(url).host]);
      expect(pageErrors).toEqual([]);
    },
  };
}

type Model = { uri: { path: string }; getValue(): string; setValue(text: string): void };

/** The editors of the page, as a global that GraphiQL defines. */
declare const monaco: { editor: { getModels(): Model[] } };

function readModel(name: string): string {
  const model = monaco.editor.getModels().find(({ uri }) => uri.path.endsWith(name));
  return model?.getValue() ?? '';
}

function writeModel({ name, text }: { name: string; text: string }): void {
  const model = monaco.editor.getModels().find(({ uri }) => uri.path.endsWith(name));
  model?.setValue(text);
}

function operationNameOf(request: Request): unknown {
  const type = request.headers()['content-type'] ?? '';
  return type.startsWith('application/json') ? request.postDataJSON()?.operationName : undefined;
}
