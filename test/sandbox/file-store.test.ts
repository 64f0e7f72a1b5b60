import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openFileStore } from '../../src/sandbox/storage/file-store.ts';
import { temporaryFolder } from './client.ts';

async function openSmallStore(folder: string, needed: string[] = []) {
  const store = await openFileStore({
    folder,
    maxBytes: 100,
    isNeeded: (name) => needed.includes(name),
  });
  const put = async (name: string, bytes: number) => {
    await writeFile(join(folder, name), 'x'.repeat(bytes));
    await store.add(name);
  };
  return { store, put };
}

describe('a file store', () => {
  it('deletes the oldest files when it is full', async () => {
    const folder = await temporaryFolder();
    const { store, put } = await openSmallStore(folder);
    for (const name of ['a', 'b', 'c']) await put(name, 40);
    expect((await readdir(folder)).sort()).toEqual(['b', 'c']);
    expect([store.has('a'), store.has('b')]).toEqual([false, true]);
  });

  it('keeps the newest file of any size, and files that a running job needs', async () => {
    const folder = await temporaryFolder();
    const { put } = await openSmallStore(folder, ['a']);
    for (const name of ['a', 'b', 'c']) await put(name, 120);
    expect((await readdir(folder)).sort()).toEqual(['a', 'c']);
  });

  it('counts the files of an earlier run', async () => {
    const folder = await temporaryFolder();
    await (await openSmallStore(folder)).put('old', 80);
    const { store, put } = await openSmallStore(folder);
    expect(store.has('old')).toBe(true);
    await put('new', 80);
    expect(await readdir(folder)).toEqual(['new']);
  });
});
