import { createServer } from 'vite';
import { findPort, startApi } from './api.ts';
import { proxyTo } from './proxy.ts';

/*
 * `npm run web`: the page, and a sandbox of its own beside it, on one address. PORT is the page's, and DATA_DIR the
 * sandbox's. With LIPSYNC_URL it is the page for that server instead, whose PUBLIC_URL has to be the page's address.
 */
const port = await findPort(Number(process.env.PORT ?? 5173));
const page = `http://127.0.0.1:${port}`;
const given = process.env.LIPSYNC_URL;
const api = given === undefined ? await startApi(page) : null;

const vite = await createServer({
  root: import.meta.dirname,
  logLevel: 'warn',
  server: {
    host: '127.0.0.1',
    port,
    strictPort: true,
    proxy: proxyTo(given ?? api?.url ?? ''),
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
void api?.ended.then(() => stop(1));
