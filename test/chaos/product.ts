import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { LogLine } from '../support/app.ts';
import { type Program, startProgram } from '../support/program.ts';
import type { Life } from './plan.ts';

const assassin = pathToFileURL(join(import.meta.dirname, 'die-at.ts')).href;

/**
 * The program, started again and again on the same port, so that callbacks of one run reach the next. With a
 * `databaseUrl` a second instance runs beside it throughout.
 */
export class Product {
  readonly #env: Record<string, string>;
  readonly #programs: Program[] = [];
  #port = 0;
  #survivorUrl: string | null = null;
  #url: string | null = null;
  #opened = Promise.withResolvers<string>();

  private constructor(env: Record<string, string>) {
    this.#env = env;
  }

  static async open(env: Record<string, string>): Promise<Product> {
    const product = new Product(env);
    product.#port = await findPort();
    if (env.DATABASE_URL !== undefined) {
      const survivor = product.#start({ PORT: String(await findPort()) });
      product.#survivorUrl = await survivor.url();
    }
    return product;
  }

  /** Starts the next run, which is killed at the given point or by the caller. The previous run must have ended. */
  live(death: Pick<Life, 'point' | 'nth'> | null): Program {
    const program = this.#start({
      PORT: String(this.#port),
      ...(death === null
        ? {}
        : {
            NODE_OPTIONS: `--import=${assassin}`,
            CHAOS_POINT: death.point.name,
            CHAOS_NTH: String(death.nth),
          }),
    });
    // A run that is killed before it listens is skipped: clients wait for the next.
    program.url().then(
      (url) => {
        this.#url = url;
        this.#opened.resolve(url);
      },
      () => undefined,
    );
    void program.exited.then(() => {
      if (this.#url !== null) this.#opened = Promise.withResolvers();
      this.#url = null;
    });
    return program;
  }

  /** The URL of a running instance, as soon as there is one. */
  async address({ atSurvivor = false } = {}): Promise<string> {
    if (atSurvivor && this.#survivorUrl !== null) return this.#survivorUrl;
    return this.#url ?? this.#survivorUrl ?? this.#opened.promise;
  }

  /** The errors in the logs of all runs. */
  errors(): LogLine[] {
    return this.#programs.flatMap(({ lines }) =>
      lines.filter(({ level }) => level === 'error' || level === 'fatal'),
    );
  }

  /** The output of the last runs. */
  output(): string {
    return this.#programs
      .slice(-3)
      .map(({ output }) => output.slice(-4_000))
      .join('\n--- next life ---\n');
  }

  /** Stops all running processes with SIGTERM and returns their exit codes. */
  async stop(): Promise<(number | null)[]> {
    const living = this.#programs.filter(
      ({ child }) => child.exitCode === null && child.signalCode === null,
    );
    const exits = await Promise.all(living.map((program) => program.kill('SIGTERM')));
    return exits.map(({ code }) => code);
  }

  #start(env: Record<string, string>): Program {
    const program = startProgram({ ...this.#env, ...env });
    this.#programs.push(program);
    return program;
  }
}

/** Below the ephemeral ports, so that it is still free for the next run. */
async function findPort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 30_000);
    const server = createServer();
    const isFree = await new Promise((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}
