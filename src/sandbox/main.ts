import { startSandbox } from './sandbox.ts';

const { SANDBOX_PORT, DATA_DIR } = process.env;
const sandbox = await startSandbox({
  dataDir: DATA_DIR ?? './.data/sandbox',
  port: Number(SANDBOX_PORT ?? 0),
});

process.stdout.write(`sandbox at ${sandbox.baseUrl} with token ${sandbox.token}\n`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    sandbox.close().catch(() => {
      process.exitCode = 1;
    });
  });
}
