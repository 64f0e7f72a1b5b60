import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

/** The URL in the log of a server that has started, without `/graphql`. Later lines are read and discarded. */
export function readUrl({ stdout }: ChildProcess): Promise<string> {
  if (stdout === null) throw new Error('The output was not piped.');
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  createInterface({ input: stdout })
    .on('line', (line) => {
      const { msg, url } = JSON.parse(line) as { msg?: string; url?: string };
      if (msg === 'listening' && url !== undefined) resolve(url.replace(/\/graphql$/, ''));
    })
    .on('close', () => reject(new Error('The server ended before it listened.')));
  return promise;
}
