import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** A folder of complete files with a limit in bytes. The oldest files are deleted first; the newest always stays. */
export type FileStore = {
  folder: string;
  has(name: string): boolean;
  /** Registers a complete file that was written into the folder, and deletes old files to make room for it. */
  add(name: string): Promise<void>;
  remove(name: string): Promise<void>;
  clear(): Promise<void>;
};

type StoredFile = { name: string; bytes: number; addedAtMs: number };

export async function openFileStore(options: {
  folder: string;
  maxBytes: number;
  /** A file that a running job needs is not deleted. */
  isNeeded(name: string): boolean;
}): Promise<FileStore> {
  const { folder, maxBytes, isNeeded } = options;
  await mkdir(folder, { recursive: true });
  let files = await readFiles(folder);

  async function remove(name: string) {
    files = files.filter((file) => file.name !== name);
    await rm(join(folder, name), { force: true });
  }

  return {
    folder,
    has: (name) => files.some((file) => file.name === name),
    async add(name) {
      const { size } = await stat(join(folder, name));
      const others = files.filter((file) => file.name !== name);
      files = [...others, { name, bytes: size, addedAtMs: Date.now() }];
      let total = files.reduce((sum, file) => sum + file.bytes, 0);
      for (const old of files.slice(0, -1)) {
        if (total <= maxBytes) break;
        if (isNeeded(old.name)) continue;
        await remove(old.name);
        total -= old.bytes;
      }
    },
    remove,
    async clear() {
      files = [];
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder, { recursive: true });
    },
  };
}

/** Deletes `.part` files: a crash or a broken upload left them, and no response has named them. */
async function readFiles(folder: string): Promise<StoredFile[]> {
  const files: StoredFile[] = [];
  for (const name of await readdir(folder)) {
    if (name.endsWith('.part')) {
      await rm(join(folder, name), { force: true });
      continue;
    }
    const { size, mtimeMs } = await stat(join(folder, name));
    files.push({ name, bytes: size, addedAtMs: mtimeMs });
  }
  return files.sort((a, b) => a.addedAtMs - b.addedAtMs);
}
