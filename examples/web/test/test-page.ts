import { startTestApp, type TestApp, type TestAppOptions } from '../../../test/support/app.ts';
import { type Line, openLine } from '../../../test/support/line.ts';
import { previewPage } from '../preview.ts';

export type TestPage = {
  app: TestApp;
  /** The network between the browser and the page; the page is at `line.url`. */
  line: Line;
  close(): Promise<void>;
};

/** Serves the built page, with the server and its sandbox behind it, over a network that can be cut. */
export async function startTestPage({ env, ...options }: TestAppOptions = {}): Promise<TestPage> {
  const line = await openLine('http://127.0.0.1:1');
  const app = await startTestApp({ ...options, env: { ...env, PUBLIC_URL: line.url } });
  const page = await previewPage(app.url);
  line.leadTo(page.url);
  return {
    app,
    line,
    async close() {
      await line[Symbol.asyncDispose]();
      await page.close();
      await app.stop();
    },
  };
}
