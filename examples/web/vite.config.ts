import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';
import { proxyTo } from './proxy.ts';

const proxy = proxyTo(process.env.LIPSYNC_URL ?? 'http://127.0.0.1:4000');

export default defineConfig({
  plugins: [react()],
  // The kit is a link to a folder outside this package, which Vite does not serve by default.
  server: { proxy, fs: { allow: ['../..'] } },
  preview: { proxy },
});
