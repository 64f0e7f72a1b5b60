import { readFile } from 'node:fs/promises';
import type { Log } from '../../log.ts';
import type { ApiKey } from './authenticate.ts';

/**
 * How often the file is looked at. A new version is taken at the second look that finds it: at the first it may be half
 * written, or just emptied by whoever is about to write it.
 */
const lookEveryMs = 2_000;
const tickMs = 250;

export type KeyFile = Awaited<ReturnType<typeof openKeyFile>>;

/**
 * API keys that can be given out and withdrawn while the process runs. A version that can't be read or is wrong is told
 * in the log, once, and the one before it stays.
 *
 * @param parts.parse throws on a version that is wrong, without repeating any of it
 * @throws Error without the path where the file can't be read at the start, and what `parse` throws
 */
export async function openKeyFile(parts: {
  path: string;
  parse: (text: string) => readonly ApiKey[];
  now: () => Date;
  log: Log;
}) {
  const { path, parse, now, log } = parts;
  const read = () => readFile(path, 'utf8').catch(() => null);
  let judged = await read();
  if (judged === null)
    throw new Error('API_KEYS_FILE must be the path of a file that can be read.');
  let keys = parse(judged);
  let seen: string | null = judged;
  let lookedAtMs = now().getTime();

  async function look(): Promise<void> {
    const nowMs = now().getTime();
    if (nowMs - lookedAtMs < lookEveryMs) return;
    lookedAtMs = nowMs;
    const text = await read();
    const isSettled = text === seen;
    seen = text;
    if (isSettled && text !== judged) judge(text);
  }

  function judge(text: string | null): void {
    judged = text;
    if (text === null) {
      log.error('API_KEYS_FILE can not be read: the keys that it held last still hold.');
      return;
    }
    try {
      keys = parse(text);
      log.info({ count: keys.length }, 'API_KEYS_FILE was read again');
    } catch (error) {
      log.error({ err: error }, 'API_KEYS_FILE is wrong: the keys that it held last still hold.');
    }
  }

  const timer = setInterval(() => void look(), tickMs).unref();
  return {
    keys: () => keys,
    stop: () => clearInterval(timer),
  };
}
