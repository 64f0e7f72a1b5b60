import { createHash, randomUUID } from 'node:crypto';
import { constants, open, readdir, realpath, rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { errorCodeOf } from '../log/error-code.ts';
import type { Log } from '../log.ts';

/** Two processes on one PGlite folder silently destroy its data, and two sandboxes on one folder replace each other's jobs. */
export class DataDirInUseError extends Error {
  override readonly name = 'DataDirInUseError';

  constructor(dataDir: string) {
    super(
      `DATA_DIR (${dataDir}) is in use by another process. Stop that process, or give this one its own DATA_DIR. ` +
        'To run several instances on one PostgreSQL, set DATABASE_URL and USEAPI_TOKEN.',
    );
  }
}

// sun_path has 108 bytes on Linux and 104 on macOS, including the final NUL. A longer path is truncated without an error.
const socketPathLimit = 100;
const maxNameLength = 40;
// Processes that started at the same moment and must yield have released their sockets within this time.
const yieldTimeoutMs = 1_000;
const maxAttempts = 5;

/** The location of a data folder's lock sockets: listed in `folder`, opened as `path(name)`. */
type LockLocation = {
  folder: string;
  prefix: string;
  path(name: string): string;
  close(): Promise<void>;
};

function locateInTemp(dataDir: string): LockLocation {
  const hash = createHash('sha256').update(dataDir).digest('hex').slice(0, 12);
  const folder = tmpdir();
  return {
    folder,
    prefix: `lipsync-${hash}-`,
    path: (name) => join(folder, name),
    close: async () => undefined,
  };
}

/**
 * The data folder itself if possible, so that containers of one host that share the volume see each other's sockets. If
 * the path is too long for a socket: the folder's file descriptor on Linux, elsewhere the temporary folder.
 */
async function locateLock(dataDir: string): Promise<LockLocation> {
  const location: LockLocation = {
    folder: dataDir,
    prefix: 'lock-',
    path: (name) => join(dataDir, name),
    close: async () => undefined,
  };
  if (Buffer.byteLength(dataDir) + maxNameLength <= socketPathLimit) return location;
  if (process.platform !== 'linux') return locateInTemp(dataDir);
  const folder = await open(dataDir, constants.O_RDONLY | constants.O_DIRECTORY);
  return {
    ...location,
    path: (name) => `/proc/self/fd/${folder.fd}/${name}`,
    close: () => folder.close(),
  };
}

function listenOn(path: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  // The lock alone must not keep the process alive.
  server.unref();
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      server.on('error', () => undefined);
      resolve(server);
    });
  });
}

/** Also removes the socket file. */
function closeServer(server: Server): Promise<unknown> {
  return new Promise((resolve) => server.close(resolve));
}

/** False only if the kernel reports that no process listens on the socket: other errors do not prove that. */
function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error) => {
      const code = errorCodeOf(error);
      resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT');
    });
  });
}

/** Also removes the socket files of killed processes. */
async function findOthers(
  location: LockLocation,
  own: string,
): Promise<{ isOwnThere: boolean; alive: string[] }> {
  const names = (await readdir(location.folder)).filter((name) => name.startsWith(location.prefix));
  const alive: string[] = [];
  for (const name of names) {
    if (name === own) continue;
    if (await isAlive(location.path(name))) alive.push(name);
    else await rm(location.path(name)).catch(() => undefined);
  }
  return { isOwnThere: names.includes(own), alive };
}

/**
 * Every process first creates its own socket, then searches for other live sockets, and holds the lock only if there are
 * none. Of two processes, the one whose socket was created second sees the first one's, so two never hold the lock, at any
 * speed. (One shared name does not work: a process that removes a dead socket can remove the live one that has just
 * replaced it, as seen in 2 of 25 rounds of 8 processes.) Names begin with the time: the later process yields.
 */
async function tryToLock(location: LockLocation, dataDir: string): Promise<Server | undefined> {
  const stamp = Date.now().toString(36).padStart(9, '0');
  const own = `${location.prefix}${stamp}-${randomUUID().slice(0, 8)}`;
  const server = await listenOn(location.path(own));
  try {
    for (const giveUpAt = Date.now() + yieldTimeoutMs; ; ) {
      const { isOwnThere, alive } = await findOthers(location, own);
      // Another process removed it as dead, between its creation and the moment it listened.
      if (!isOwnThere) break;
      if (alive.length === 0) return server;
      const isLater = alive.some((name) => name < own);
      if (isLater || Date.now() > giveUpAt) throw new DataDirInUseError(dataDir);
      await wait(20);
    }
  } catch (error) {
    await closeServer(server);
    throw error;
  }
  await closeServer(server);
  return;
}

async function lockAt(location: LockLocation, dataDir: string): Promise<() => Promise<void>> {
  try {
    for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
      const server = await tryToLock(location, dataDir);
      if (server === undefined) continue;
      return async () => {
        await closeServer(server);
        await location.close();
      };
    }
    throw new DataDirInUseError(dataDir);
  } catch (error) {
    await location.close();
    throw error;
  }
}

// Windows pipes have no files: the system gives a name to one process and releases it when that process dies.
async function lockWithPipe(dataDir: string): Promise<() => Promise<void>> {
  const hash = createHash('sha256').update(dataDir.toLowerCase()).digest('hex');
  try {
    const server = await listenOn(`\\\\.\\pipe\\lipsync-graphql-${hash}`);
    return async () => void (await closeServer(server));
  } catch (error) {
    throw errorCodeOf(error) === 'EADDRINUSE' ? new DataDirInUseError(dataDir) : error;
  }
}

/**
 * Locks `dataDir` until the returned function is called or the process dies, for any reason: the lock is a listening Unix
 * socket, which the kernel closes with its process. Processes on different hosts do not see each other's sockets: a shared
 * network folder is not protected.
 *
 * @throws {DataDirInUseError}
 */
export async function lockDataDir(dataDir: string, log: Log): Promise<() => Promise<void>> {
  const folder = await realpath(dataDir);
  if (process.platform === 'win32') return await lockWithPipe(folder);
  try {
    return await lockAt(await locateLock(folder), folder);
  } catch (error) {
    if (error instanceof DataDirInUseError || errorCodeOf(error) === 'EACCES') throw error;
    // Some shared folders (Docker Desktop, SMB) support files but no sockets.
    log.warn(
      { err: error },
      'DATA_DIR does not support sockets: the lock is in the temporary folder',
    );
    return await lockAt(locateInTemp(folder), folder);
  }
}
