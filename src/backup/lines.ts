import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';

/** Only its owner may read the file: it has the texts of callers and the secret that signs addresses. */
const fileMode = 0o600;

/** Writes lines into a gzipped file. The name appears when the file is complete. */
export async function writeLines(file: string, lines: AsyncIterable<string>): Promise<void> {
  const part = `${file}.part`;
  try {
    await pipeline(
      Readable.from(withNewlines(lines)),
      createGzip(),
      createWriteStream(part, { mode: fileMode, flush: true }),
    );
    await rename(part, file);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

async function* withNewlines(lines: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const line of lines) yield `${line}\n`;
}

/** The lines of a gzipped file. If the file is unreadable or damaged, the generator throws after the last readable line. */
export async function* readLines(file: string): AsyncGenerator<string> {
  const source = createReadStream(file);
  const unzipped = createGunzip();
  const done = pipeline(source, unzipped);
  // Awaited below; without this handler a file that is not gzip would end the process.
  done.catch(() => unzipped.end());
  for await (const line of createInterface({
    input: unzipped,
    crlfDelay: Number.POSITIVE_INFINITY,
  })) {
    yield line;
  }
  await done;
}
