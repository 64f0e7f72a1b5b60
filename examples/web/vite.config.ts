import { join } from 'node:path';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';
import { proxyTo } from './proxy.ts';

const pages = ['index.html', 'operators.html'].map((name) => join(import.meta.dirname, name));
const proxy = proxyTo(process.env.LIPSYNC_URL ?? 'http://127.0.0.1:4000');

export default defineConfig({
  plugins: [react()],
  // The kit is a link to a folder outside this package. Its hooks must use the React of this page, and Vite does not serve
  // that folder by default.
  resolve: { dedupe: ['react'] },
  server: { proxy, fs: { allow: ['../..'] } },
  preview: { proxy },
  // The page of operators is an entry of its own: the studio loads nothing of it.
  build: { rolldownOptions: { input: pages } },
});
