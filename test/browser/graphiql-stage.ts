import type { Browser, Request } from 'playwright-core';
import { expect } from 'vitest';

type Result = { data?: Record<string, unknown>; errors?: unknown[] };

export type Graphiql = Awaited<ReturnType<typeof openGraphiql>>;

/**
 * GraphiQL of a server, as somebody sees it who was never there before: in a profile of its own. Closing it fails where
 * the page asked anybody else, or complained: of its content security policy, say.
 *
 * @param url of the server, without the path
 * @param search of the page, from its `?` on
 */
export async function openGraphiql(browser: Browser, url: string, search = '') {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  /** Everything that the page asked of anybody, and everything it complained of. */
  const asked: URL[] = [];
  const complaints: string[] = [];
  page.on('request', (request) => asked.push(new URL(request.url())));
  /** What it said over WebSockets. */
  const sent: string[] = [];
  page.on('websocket', (socket) => {
    asked.push(new URL(socket.url()));
    socket.on('framesent', ({ payload }) => sent.push(String(payload)));
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });

  const ready = () => page.getByRole('button', { name: /Execute query/ }).waitFor();
  const pane = page.locator('.graphiql-response');
  const openTab = (name: string) =>
    page.getByRole('tablist').getByRole('button', { name, exact: true }).click();
  const run = () => page.getByRole('button', { name: /Execute query/ }).click();
  /** Opens a tab and presses its play button, at once, which is all that a newcomer does. */
  const play = async (name: string) => {
    await openTab(name);
    await run();
  };

  const readAnswer = async (name: string, begin: () => Promise<void>) => {
    const [response] = await Promise.all([
      page.waitForResponse((each) => nameIn(each.request()) === name),
      begin(),
    ]);
    return (await response.json()) as Result;
  };

  await page.goto(`${url}/graphql${search}`);
  await ready();
  return {
    page,
    asked,
    sent,
    openTab,
    run,
    play,
    /** @returns the answer that it got over HTTP */
    playAndRead: (name: string) => readAnswer(name, () => play(name)),
    /** The same of the tab that is open. */
    runAndRead: (name: string) => readAnswer(name, run),
    /** Waits until the response pane shows these words. Its editor draws spaces as U+00A0, and only the lines in view. */
    async seeResponse(...words: string[]): Promise<void> {
      for (const each of words) {
        await pane.filter({ hasText: new RegExp(each.replaceAll(' ', '\\s')) }).waitFor();
      }
    },
    tabs: () => page.getByRole('tab').allInnerTexts(),
    /** What stands in an editor of the tab that is open: `variables.json`, `request-headers.json`. */
    read: (name: string) => page.evaluate(readModel, name),
    /** Puts a text into it, as pasting does. */
    write: (name: string, text: string) => page.evaluate(writeModel, { name, text }),
    async reload(): Promise<void> {
      await page.reload();
      await ready();
    },
    async [Symbol.asyncDispose](): Promise<void> {
      const hosts = asked.filter(({ protocol }) => !/^(blob|data):$/.test(protocol));
      await context.close();
      expect([...new Set(hosts.map(({ host }) => host))]).toEqual([new URL(url).host]);
      expect(complaints).toEqual([]);
    },
  };
}

type Model = { uri: { path: string }; getValue(): string; setValue(text: string): void };

/** What the page leaves for whoever reads its editors, and the page is one of them. */
declare const monaco: { editor: { getModels(): Model[] } };

function readModel(name: string): string {
  const model = monaco.editor.getModels().find(({ uri }) => uri.path.endsWith(name));
  return model?.getValue() ?? '';
}

function writeModel({ name, text }: { name: string; text: string }): void {
  const model = monaco.editor.getModels().find(({ uri }) => uri.path.endsWith(name));
  model?.setValue(text);
}

function nameIn(request: Request): unknown {
  const type = request.headers()['content-type'] ?? '';
  return type.startsWith('application/json') ? request.postDataJSON()?.operationName : undefined;
}
