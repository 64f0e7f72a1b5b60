import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import { finish } from './command.ts';

const here = import.meta.dirname;

/** A file of the tools that only these tests install. */
export const tool = (path: string) => join(here, 'node_modules', path);

type Project = {
  folder: string;
  /** Runs a command in the folder and returns what it printed. */
  run(command: string, args: readonly string[], env?: Record<string, string>): Promise<string>;
  write(name: string, text: string): Promise<string>;
  [Symbol.asyncDispose](): Promise<void>;
};

/**
 * A project outside of the repository that has installed the packed client, and nothing else of ours.
 */
export async function startProject(): Promise<Project> {
  const folder = await mkdtemp(join(tmpdir(), 'lipsync-project-'));
  const write = async (name: string, text: string) => {
    const file = join(folder, name);
    await writeFile(file, text);
    return file;
  };
  await write('package.json', '{ "private": true, "type": "module" }');
  const options = ['--offline', '--no-audit', '--no-fund', '--ignore-scripts'];
  await finish('npm', ['install', inject('tarball'), ...options], { cwd: folder });
  return {
    folder,
    write,
    run: (command, args, env = {}) => finish(command, args, { cwd: folder, env }),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}
