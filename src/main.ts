import { enableCompileCache } from 'node:module';

// What Node compiled once it keeps, and the next start is a quarter sooner. It works for what is imported after it.
enableCompileCache();
const { runProcess } = await import('./process.ts');
await runProcess();
