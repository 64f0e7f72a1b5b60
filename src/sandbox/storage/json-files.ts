import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Writes JSON files atomically: also after `kill -9` a file holds either its old or its new version. */
export type JsonFiles = {
  /** Writes to the same path run one after another. `durable` waits for fsync, as an accepted job requires. */
  save(path: string, value: unknown, durable: boolean): Promise<void>;
  remove(path: string): Promise<void>;
  /** Resolves when every write that was asked for is done. */
  settle(): Promise<void>;
};

export function createJsonFiles(): JsonFiles {
  const lastWrites = new Map<string, Promise<void>>();

  function inTurn(path: string, task: () => Promise<void>): Promise<void> {
    const previous = lastWrites.get(path) ?? Promise.resolve();
    const done = previous.catch(() => undefined).then(task);
    lastWrites.set(path, done);
    const forget = () => {
      if (lastWrites.get(path) === done) lastWrites.delete(path);
    };
    done.then(forget, forget);
    return done;
  }

  return {
    save(path, value, durable) {
      // Serialized now, because the value may have changed when its turn comes.
      const text = JSON.stringify(value, null, 2);
      return inTurn(path, () => replaceFile(path, text, durable));
    },
    remove: (path) => inTurn(path, () => rm(path, { force: true })),
    async settle() {
      await Promise.allSettled(lastWrites.values());
    },
  };
}

async function replaceFile(path: string, text: string, durable: boolean) {
  const temporary = `${path}.tmp`;
  const file = await open(temporary, 'w');
  try {
    await file.writeFile(text);
    if (durable) await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  if (durable) await syncFolder(dirname(path));
}

/** A rename is durable only after its folder is synced. Windows can't open folders and needs no sync. */
export async function syncFolder(path: string) {
  const folder = await open(path, 'r').catch(() => null);
  await folder?.sync().catch(() => undefined);
  await folder?.close();
}

/** Makes a complete `.part` file durable and gives it its name. */
export async function publishFile(partPath: string, path: string) {
  const file = await open(partPath, 'r+');
  await file.sync().finally(() => file.close());
  await rename(partPath, path);
  await syncFolder(dirname(path));
}

/**
 * Every JSON file of a folder, which is created if missing. Leftover `.tmp` files were never acknowledged and are
 * deleted.
 */
export async function readFolder(folder: string): Promise<unknown[]> {
  await mkdir(folder, { recursive: true });
  const names = await readdir(folder);
  const abandoned = names.filter((name) => name.endsWith('.tmp'));
  await Promise.all(abandoned.map((name) => rm(join(folder, name), { force: true })));
  const values: unknown[] = [];
  for (const name of names.filter((each) => each.endsWith('.json'))) {
    values.push(JSON.parse(await readFile(join(folder, name), 'utf8')));
  }
  return values;
}

/** One JSON file; null when there is none. */
export async function readJsonFile(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  return text === null ? null : JSON.parse(text);
}
