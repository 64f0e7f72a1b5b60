import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** JSON files that are either the old or the new version, never half of one, also after `kill -9`. */
export type Disk = {
  /** Writes in turn per path. `durable` waits for the disk itself, as an accepted job needs. */
  save(path: string, value: unknown, durable: boolean): Promise<void>;
  remove(path: string): Promise<void>;
  /** Resolves when everything asked for so far is done. */
  settle(): Promise<void>;
};

export function createDisk(): Disk {
  const tails = new Map<string, Promise<void>>();

  function inTurn(path: string, task: () => Promise<void>): Promise<void> {
    const before = tails.get(path) ?? Promise.resolve();
    const done = before.catch(() => undefined).then(task);
    tails.set(path, done);
    const forget = () => {
      if (tails.get(path) === done) tails.delete(path);
    };
    done.then(forget, forget);
    return done;
  }

  return {
    save(path, value, durable) {
      // Printed now: by the time its turn comes the record may have moved on.
      const text = JSON.stringify(value, null, 2);
      return inTurn(path, () => replaceFile(path, text, durable));
    },
    remove: (path) => inTurn(path, () => rm(path, { force: true })),
    async settle() {
      await Promise.allSettled(tails.values());
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

/** A rename is only on the disk when its folder is. Windows can't open folders and does it by itself. */
export async function syncFolder(path: string) {
  const folder = await open(path, 'r').catch(() => null);
  await folder?.sync().catch(() => undefined);
  await folder?.close();
}

/** Every JSON file of a folder, which is made if missing. A leftover `.tmp` was never promised to anybody. */
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

/** One JSON file, or null when there is none. */
export async function readOne(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  return text === null ? null : JSON.parse(text);
}
