import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** A folder of finished files with a limit in bytes: the oldest go first, the newest always stays. */
export type Shelf = {
  folder: string;
  has(name: string): boolean;
  /** Says that a complete file now lies there, and makes room for it. */
  placed(name: string): Promise<void>;
  remove(name: string): Promise<void>;
  clear(): Promise<void>;
};

type Entry = { name: string; bytes: number; placedAtMs: number };

export async function openShelf(options: {
  folder: string;
  maxBytes: number;
  /** Files a running job still needs are passed over. */
  isNeeded(name: string): boolean;
}): Promise<Shelf> {
  const { folder, maxBytes, isNeeded } = options;
  await mkdir(folder, { recursive: true });
  let entries = await readEntries(folder);

  async function remove(name: string) {
    entries = entries.filter((entry) => entry.name !== name);
    await rm(join(folder, name), { force: true });
  }

  return {
    folder,
    has: (name) => entries.some((entry) => entry.name === name),
    async placed(name) {
      const { size } = await stat(join(folder, name));
      const others = entries.filter((entry) => entry.name !== name);
      entries = [...others, { name, bytes: size, placedAtMs: Date.now() }];
      let total = entries.reduce((sum, entry) => sum + entry.bytes, 0);
      for (const old of entries.slice(0, -1)) {
        if (total <= maxBytes) break;
        if (isNeeded(old.name)) continue;
        await remove(old.name);
        total -= old.bytes;
      }
    },
    remove,
    async clear() {
      entries = [];
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder, { recursive: true });
    },
  };
}

/** A `.part` is what a crash or a broken upload left behind: nobody was told that it exists. */
async function readEntries(folder: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const name of await readdir(folder)) {
    if (name.endsWith('.part')) {
      await rm(join(folder, name), { force: true });
      continue;
    }
    const { size, mtimeMs } = await stat(join(folder, name));
    entries.push({ name, bytes: size, placedAtMs: mtimeMs });
  }
  return entries.sort((a, b) => a.placedAtMs - b.placedAtMs);
}
