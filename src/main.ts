import { enableCompileCache } from 'node:module';

// Only a bootstrap: the compile cache makes the next start a quarter faster, and works only for modules that are imported
// after this call. The program itself is in process.ts.
enableCompileCache();
const { runProcess } = await import('./process.ts');
await runProcess();
