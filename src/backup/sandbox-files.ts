import { existsSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { BackupError } from './format.ts';

/** What the sandbox keeps in DATA_DIR: its jobs, accounts, uploads and results. */
const folderName = 'sandbox';

/** The file with the port of the sandbox, which is part of the URLs of its videos. */
const portFile = 'sandbox-port';

/** Files of a restore, until its rows are committed. In DATA_DIR, so that a rename moves them. */
const stagingName = 'sandbox-restore';

const pieceBytes = 1_048_576;

export type FilePart = { path: string; pieces: number; read(): AsyncGenerator<string> };

/** Every file of the sandbox, as pieces in base64. */
export async function* exportFiles(dataDir: string): AsyncGenerator<FilePart> {
  const folder = join(dataDir, folderName);
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const each of entries) {
    // An unfinished file was never acknowledged.
    if (!each.isFile() || /\.(part|tmp)$/.test(each.name)) continue;
    const path = join(each.parentPath, each.name);
    yield await openPart(path, relative(dataDir, path).split(sep).join('/'));
  }
  const port = join(dataDir, portFile);
  if (existsSync(port)) yield await openPart(port, portFile);
}

async function openPart(path: string, name: string): Promise<FilePart> {
  const file = await open(path);
  const { size } = await file.stat();
  return {
    path: name,
    pieces: Math.ceil(size / pieceBytes),
    async *read() {
      try {
        for (let at = 0; at < size; at += pieceBytes) {
          const length = Math.min(pieceBytes, size - at);
          const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at);
          if (bytesRead < length) throw new BackupError('A file of the sandbox became shorter.');
          yield buffer.toString('base64');
        }
      } finally {
        await file.close();
      }
    },
  };
}

export async function hasFiles(dataDir: string): Promise<boolean> {
  const names = await readdir(join(dataDir, folderName)).catch(() => []);
  return names.length > 0;
}

/** @throws BackupError for a path that leads out of the folder */
export function checkPath(name: string): void {
  const steps = name.split('/');
  const isInside = name === portFile || (steps.length > 1 && steps[0] === folderName);
  if (!isInside || steps.some((step) => !/^[\w.@+-]+$/.test(step) || /^\.+$/.test(step))) {
    throw new BackupError('The backup has a file with an invalid path.');
  }
}

type StagedFiles = {
  /** Writes one file beside those of the sandbox. @throws BackupError for a path that leads out of the folder */
  add(name: string, pieces: AsyncIterable<string>): Promise<void>;
  /** Replaces the files of the sandbox. The port is kept if none was added. */
  replace(): Promise<void>;
  /** Removes what `replace` has not moved. */
  discard(): Promise<void>;
};

/** Keeps the files of a restore apart: until `replace` the sandbox has the files that it had. */
export async function stageFiles(dataDir: string): Promise<StagedFiles> {
  const staging = join(dataDir, stagingName);
  const discard = () => rm(staging, { recursive: true, force: true });
  const move = (from: string, to: string) => (existsSync(from) ? rename(from, to) : undefined);
  // A process that was killed can have left some.
  await discard();
  await mkdir(staging, { recursive: true });
  return {
    async add(name, pieces) {
      checkPath(name);
      await writePieces(join(staging, name), pieces);
    },
    async replace() {
      await move(join(dataDir, folderName), join(staging, 'replaced'));
      await move(join(staging, folderName), join(dataDir, folderName));
      await move(join(staging, portFile), join(dataDir, portFile));
    },
    discard,
  };
}

async function writePieces(path: string, pieces: AsyncIterable<string>): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, 'w');
  try {
    for await (const piece of pieces) await file.write(Buffer.from(piece, 'base64'));
  } finally {
    await file.close();
  }
}
