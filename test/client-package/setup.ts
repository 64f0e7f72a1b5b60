import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { finish } from './command.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The path of the packed client. */
    tarball: string;
  }
}

const root = join(import.meta.dirname, '../..');

/** Builds and packs the client once for all tests, with the commands that publish it. */
export async function setup({ provide }: TestProject) {
  const folder = await mkdtemp(join(tmpdir(), 'lipsync-client-'));
  await finish('npm', ['run', 'build:client'], { cwd: root });
  const packed = await finish(
    'npm',
    ['pack', './packages/client/build', '--json', '--pack-destination', folder],
    { cwd: root },
  );
  const [{ filename = '' } = {}] = JSON.parse(packed) as { filename?: string }[];
  provide('tarball', join(folder, filename));
  return () => rm(folder, { recursive: true });
}
