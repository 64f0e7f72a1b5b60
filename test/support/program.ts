import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { LogLine } from './app.ts';
import { createGraphQLClient } from './graphql-client.ts';

const root = join(import.meta.dirname, '../..');

export type Exit = { code: number | null; signal: NodeJS.Signals | null };

/** The process of `npm start`, with only the given variables in its environment. */
export function startProgram(env: Record<string, string>): Program {
  return new Program(
    spawn(process.execPath, ['--liftoff-only', 'src/main.ts'], {
      cwd: root,
      env: { PATH: process.env.PATH ?? '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
}

export class Program {
  readonly child: ChildProcess;
  readonly exited: Promise<Exit>;
  readonly lines: LogLine[] = [];
  /** The whole output, stdout and stderr. */
  output = '';
  readonly #waiting = new Set<() => void>();

  constructor(child: ChildProcess) {
    this.child = child;
    const { stdout, stderr } = child;
    if (stdout === null || stderr === null) throw new Error('The outputs were not piped.');
    stderr.on('data', (data: Buffer) => {
      this.output += data.toString();
    });
    createInterface({ input: stdout }).on('line', (line) => {
      this.output += `${line}\n`;
      if (line.startsWith('{')) this.lines.push(JSON.parse(line) as LogLine);
      for (const check of this.#waiting) check();
    });
    this.exited = once(child, 'close').then(([code, signal]) => {
      for (const check of this.#waiting) check();
      return { code, signal } as Exit;
    });
  }

  /** Resolves with the first matching log line; rejects when the process ends without one. */
  line(fits: (line: LogLine) => boolean): Promise<LogLine> {
    return new Promise((resolve, reject) => {
      const check = () => {
        const found = this.lines.find(fits);
        const isOver = this.child.exitCode !== null || this.child.signalCode !== null;
        if (found === undefined && !isOver) return;
        this.#waiting.delete(check);
        if (found === undefined) reject(new Error(`It ended without that line:\n${this.output}`));
        else resolve(found);
      };
      this.#waiting.add(check);
      check();
    });
  }

  /** The URL without a path, once the program listens. */
  async url(): Promise<string> {
    const { url } = await this.line(({ msg }) => msg === 'listening');
    return String(url).replace(/\/graphql$/, '');
  }

  async client() {
    return createGraphQLClient(await this.url());
  }

  async kill(signal: NodeJS.Signals): Promise<Exit> {
    this.child.kill(signal);
    return this.exited;
  }
}
