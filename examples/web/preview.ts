import { preview } from 'vite';
import { findPort } from './api.ts';
import { proxyTo } from './proxy.ts';

/** Serves the output of `vite build`, with the API behind a proxy. */
export async function previewPage(target: string, wanted = 0) {
  const port = await findPort(wanted);
  const server = await preview({
    root: import.meta.dirname,
    logLevel: 'error',
    preview: { host: '127.0.0.1', port, strictPort: true, proxy: proxyTo(target) },
  });
  return { url: `http://127.0.0.1:${port}`, close: () => server.close() };
}
