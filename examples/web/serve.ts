import { createServer } from 'vite';
import { findPort, startApi } from './api.ts';
import { proxyTo } from './proxy.ts';

/*
 * `npm run web`: serves the page and starts a sandbox server behind it, on one address. PORT is the port of the page,
 * DATA_DIR the data folder of the sandbox. With LIPSYNC_URL the page uses that server instead; its PUBLIC_URL must be the
 * address of the page.
 */
const port = await findPort(Number(process.env.PORT ?? 5173));
const page = `http://127.0.0.1:${port}`;
const apiUrl = process.env.LIPSYNC_URL;
const api = apiUrl === undefined ? await startApi(page) : null;

const vite = await createServer({
  root: import.meta.dirname,
  logLevel: 'warn',
  server: {
    host: '127.0.0.1',
    port,
    strictPort: true,
    proxy: proxyTo(apiUrl ?? api?.url ?? ''),
    warmup: { clientFiles: ['src/main.tsx'] },
  },
});
await vite.listen();
process.stdout.write(`The page is on ${page}, and GraphiQL on ${page}/graphql\n`);

let isStopping = false;
async function stop(code: number): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  await Promise.all([vite.close(), api?.stop()]);
  process.exit(code);
}
process.on('SIGINT', () => void stop(0));
process.on('SIGTERM', () => void stop(0));
void api?.exited.then(() => stop(1));
