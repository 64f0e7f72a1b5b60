import { readFile } from 'node:fs/promises';
import type { Log } from '../../log.ts';
import type { ApiKey } from './authenticate.ts';

/**
 * How often the file is read. A new version is used when two reads in a row find the same text: the first can find it
 * half written, or empty just before it is written.
 */
const readEveryMs = 2_000;
const tickMs = 250;

export type ApiKeyFile = Awaited<ReturnType<typeof openApiKeyFile>>;

/**
 * API keys that can be issued and revoked while the process runs. If a new version can't be read or is invalid, that is
 * logged once and the keys of the last valid version stay in use.
 *
 * @param parts.parse throws on an invalid version, without quoting it
 * @throws Error, without the path, if the file can't be read at startup, and the errors of `parse`
 */
export async function openApiKeyFile(parts: {
  path: string;
  parse: (text: string) => readonly ApiKey[];
  now: () => Date;
  log: Log;
}) {
  const { path, parse, now, log } = parts;
  const read = () => readFile(path, 'utf8').catch(() => null);
  let current = await read();
  if (current === null) throw new Error('API_KEYS_FILE must be the path of a readable file');
  let keys = parse(current);
  let lastRead: string | null = current;
  let lastReadAtMs = now().getTime();

  async function checkForChange(): Promise<void> {
    const nowMs = now().getTime();
    if (nowMs - lastReadAtMs < readEveryMs) return;
    lastReadAtMs = nowMs;
    const text = await read();
    const isComplete = text === lastRead;
    lastRead = text;
    if (isComplete && text !== current) useVersion(text);
  }

  function useVersion(text: string | null): void {
    current = text;
    if (text === null) {
      log.error('API_KEYS_FILE can not be read: its last valid keys stay in use.');
      return;
    }
    try {
      keys = parse(text);
      log.info({ count: keys.length }, 'API_KEYS_FILE was read again');
    } catch (error) {
      // `parse` does not quote the file.
      const reason = error instanceof Error ? error.message : undefined;
      log.error({ reason }, 'API_KEYS_FILE is invalid: its last valid keys stay in use.');
    }
  }

  const timer = setInterval(() => void checkForChange(), tickMs).unref();
  return {
    keys: () => keys,
    stop: () => clearInterval(timer),
  };
}
