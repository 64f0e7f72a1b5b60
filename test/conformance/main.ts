import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startProgram } from '../support/program.ts';
import { type Audited, auditHttp, failuresOf, renderTable } from './audit.ts';
import { createSettings, trustedDocuments } from './settings.ts';

/*
 * npm run conformance [-- --url https://lipsync.example.com --authorization "Bearer …"]
 *
 * Prints the table of the GraphQL over HTTP audits for a running server, or for sandboxes of its own, one per configuration
 * of a server. Exits with 1 when a rule is broken.
 */
const { values } = parseArgs({
  options: { url: { type: 'string' }, authorization: { type: 'string' } },
});

const audited = values.url === undefined ? await auditSandboxes() : [await auditServer(values.url)];
process.stdout.write(renderTable(audited));
if (failuresOf(audited).length > 0) process.exitCode = 1;

async function auditServer(url: string): Promise<Audited> {
  const { authorization } = values;
  const headers = authorization === undefined ? {} : { authorization };
  return { caller: 'server', verdicts: await auditHttp({ name: 'server', url, headers }) };
}

async function auditSandboxes(): Promise<Audited[]> {
  const folder = await mkdtemp(join(tmpdir(), 'lipsync-conformance-'));
  const documents = join(folder, 'documents.json');
  const audited: Audited[] = [];
  try {
    await writeFile(documents, trustedDocuments);
    for (const [at, { env, callers }] of createSettings(documents).entries()) {
      const program = startProgram({ ...env, PORT: '0', DATA_DIR: join(folder, `${at}`) });
      const url = await program.url();
      for (const caller of callers) {
        audited.push({ caller: caller.name, verdicts: await auditHttp({ ...caller, url }) });
      }
      await program.kill('SIGTERM');
    }
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
  return audited;
}
