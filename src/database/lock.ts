import { createHash, randomUUID } from 'node:crypto';
import { constants, open, readdir, realpath, rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Log } from '../log.ts';

/** Two processes on one PGlite folder destroy it without a word. */
export class DataDirInUseError extends Error {
  override readonly name = 'DataDirInUseError';

  constructor(dataDir: string) {
    super(
      `DATA_DIR (${dataDir}) is in use by another process. Stop that process, give this one a DATA_DIR of its own, ` +
        'or set DATABASE_URL to run several instances on one PostgreSQL.',
    );
  }
}

// sun_path holds 108 bytes on Linux and 104 on macOS, with the closing NUL; a longer one is cut off without an error.
const socketPathLimit = 100;
const nameLength = 40;
// Within this, those who started at the same moment and have to give way are gone.
const patienceMs = 1_000;
const attempts = 5;

/** Where the sockets of one data folder are: listed in `folder`, reached as `path(name)`. */
type Place = {
  folder: string;
  prefix: string;
  path(name: string): string;
  leave(): Promise<void>;
};

function placeInTemp(dataDir: string): Place {
  const hash = createHash('sha256').update(dataDir).digest('hex').slice(0, 12);
  const folder = tmpdir();
  return {
    folder,
    prefix: `lipsync-${hash}-`,
    path: (name) => join(folder, name),
    leave: async () => undefined,
  };
}

/**
 * In the folder itself where possible, so that containers of one host which share the volume see each other. Too long a
 * path is reached through the folder's descriptor (Linux), or replaced by the temporary folder.
 */
async function placeFor(dataDir: string): Promise<Place> {
  const place: Place = {
    folder: dataDir,
    prefix: 'lock-',
    path: (name) => join(dataDir, name),
    leave: async () => undefined,
  };
  if (Buffer.byteLength(dataDir) + nameLength <= socketPathLimit) return place;
  if (process.platform !== 'linux') return placeInTemp(dataDir);
  const folder = await open(dataDir, constants.O_RDONLY | constants.O_DIRECTORY);
  return {
    ...place,
    path: (name) => `/proc/self/fd/${folder.fd}/${name}`,
    leave: () => folder.close(),
  };
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function listenOn(path: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  // The lock must not keep a process alive that has nothing else to do.
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

/** Removes the file too. */
function closeServer(server: Server): Promise<unknown> {
  return new Promise((resolve) => server.close(resolve));
}

/** True unless the kernel says that nobody holds the socket: a refusal for another reason is no proof of that. */
function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error) => {
      const code = codeOf(error);
      resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT');
    });
  });
}

/** What killed processes left behind is removed on the way. */
async function findOthers(
  place: Place,
  own: string,
): Promise<{ isOwnThere: boolean; alive: string[] }> {
  const names = (await readdir(place.folder)).filter((name) => name.startsWith(place.prefix));
  const alive: string[] = [];
  for (const name of names) {
    if (name === own) continue;
    if (await isAlive(place.path(name))) alive.push(name);
    else await rm(place.path(name)).catch(() => undefined);
  }
  return { isOwnThere: names.includes(own), alive };
}

/**
 * Everybody first puts up a socket of its own, then looks for others that are alive, and holds the folder only after a look
 * that showed none. Of two, the one whose socket came second sees the first one's, so never both hold it, at whatever
 * speed they run. (One name for all fails here: whoever removes a dead socket may remove the living one that
 * replaced it a moment ago. Seen in 2 of 25 rounds of 8 processes.) Names begin with the time: who came later gives way.
 */
async function tryToHold(place: Place, dataDir: string): Promise<Server | undefined> {
  const stamp = Date.now().toString(36).padStart(9, '0');
  const own = `${place.prefix}${stamp}-${randomUUID().slice(0, 8)}`;
  const server = await listenOn(place.path(own));
  try {
    for (const giveUpAt = Date.now() + patienceMs; ; ) {
      const { isOwnThere, alive } = await findOthers(place, own);
      // Taken for dead by another one, between its creation and the moment it listened.
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

async function hold(place: Place, dataDir: string): Promise<() => Promise<void>> {
  try {
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const server = await tryToHold(place, dataDir);
      if (server === undefined) continue;
      return async () => {
        await closeServer(server);
        await place.leave();
      };
    }
    throw new DataDirInUseError(dataDir);
  } catch (error) {
    await place.leave();
    throw error;
  }
}

// Pipes have no files there: Windows itself gives a name to one process, and takes it back when that dies.
async function holdPipe(dataDir: string): Promise<() => Promise<void>> {
  const hash = createHash('sha256').update(dataDir.toLowerCase()).digest('hex');
  try {
    const server = await listenOn(`\\\\.\\pipe\\lipsync-graphql-${hash}`);
    return async () => void (await closeServer(server));
  } catch (error) {
    throw codeOf(error) === 'EADDRINUSE' ? new DataDirInUseError(dataDir) : error;
  }
}

/**
 * Holds `dataDir` until the returned function is called or the process dies, by whatever cause: the lock is a listening Unix
 * socket, which the kernel closes with its process. Processes on different hosts that share a network folder do not
 * see each other's sockets: there, nothing protects the folder.
 *
 * @throws {DataDirInUseError}
 */
export async function lockDataDir(dataDir: string, log: Log): Promise<() => Promise<void>> {
  const folder = await realpath(dataDir);
  if (process.platform === 'win32') return await holdPipe(folder);
  try {
    return await hold(await placeFor(folder), folder);
  } catch (error) {
    if (error instanceof DataDirInUseError || codeOf(error) === 'EACCES') throw error;
    // Some shared folders (Docker Desktop, SMB) take files but no sockets.
    log.warn({ err: error }, 'DATA_DIR cannot hold a socket: it is locked in the temporary folder');
    return await hold(placeInTemp(folder), folder);
  }
}
