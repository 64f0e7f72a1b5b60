import { access, constants, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { error, type Finding, inOrder, warning } from './finding.ts';

/** Below this the embedded database can fail within minutes of load. */
const minFreeBytes = 200e6;

/** The sandbox keeps up to 3 GB of videos, and the embedded database grows with history. */
const enoughFreeBytes = 2e9;

export type DiskSpace = (folder: string) => Promise<{ freeBytes: number; isWritable: boolean }>;

export const readDiskSpace: DiskSpace = async (folder) => {
  const { bavail, bsize } = await statfs(folder);
  return { freeBytes: bavail * bsize, isWritable: await isAllowed(folder, constants.W_OK) };
};

/** The space and the permissions of DATA_DIR, or of its nearest parent while the folder does not exist. */
export async function checkDisk(dataDir: string, readSpace: DiskSpace): Promise<Finding[]> {
  const folder = await findExisting(dataDir);
  const { freeBytes, isWritable } = await readSpace(folder);
  if (!isWritable) {
    return [
      error('disk', 'data-dir-not-writable', {
        message: 'DATA_DIR cannot be written by this user.',
        advice: 'Give the folder to the user of the server, or set DATA_DIR to one of its own.',
      }),
    ];
  }
  const free = `${(freeBytes / 1e9).toFixed(1)} GB are free for DATA_DIR.`;
  if (freeBytes >= enoughFreeBytes) return [inOrder('disk', free)];
  const report = freeBytes < minFreeBytes ? error : warning;
  return [
    report('disk', 'disk-low', {
      message: free,
      advice: 'Free space, lower RETENTION_DAYS, or move DATA_DIR to a larger disk.',
    }),
  ];
}

async function findExisting(path: string): Promise<string> {
  const exists = await isAllowed(path, constants.F_OK);
  return exists || dirname(path) === path ? path : findExisting(dirname(path));
}

function isAllowed(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}
