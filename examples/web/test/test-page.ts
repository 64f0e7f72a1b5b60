import { startTestApp, type TestApp, type TestAppOptions } from '../../../test/support/app.ts';
import { type Line, openLine } from '../../../test/support/line.ts';
import { previewPage } from '../preview.ts';

export type Stage = {
  app: TestApp;
  /** Between the browser and everything: the page is on `line.url`. */
  line: Line;
  close(): Promise<void>;
};

/** The built page with the program and its sandbox behind it, on one address that can be cut off. */
export async function openStage({ env, ...options }: TestAppOptions = {}): Promise<Stage> {
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
