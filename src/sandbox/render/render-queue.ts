import { createHash } from 'node:crypto';
import type { JobResult } from '../jobs/job.ts';
import type { FileStore } from '../storage/file-store.ts';
import type { RenderInput } from './result.ts';

export type Render = (input: RenderInput) => Promise<JobResult>;

/**
 * Makes finished videos one at a time, because each is held in memory while it is muxed. The same picture and sound give
 * one file, whichever job asks, so a load test with ten thousand equal texts muxes once.
 */
export function createRenderQueue(results: FileStore): Render {
  let last: Promise<unknown> = Promise.resolve();
  const rendered = new Map<string, JobResult>();
  async function render(input: RenderInput, file: string): Promise<JobResult> {
    const known = results.has(file) && rendered.get(file);
    if (known) return known;
    // Loaded with the first video, so that startup does not wait for the muxer and its encoder.
    const { makeResult } = await import('./result.ts');
    const result = await makeResult(input, { results, file });
    rendered.set(file, result);
    return result;
  }
  return (input) => {
    const file = `${fingerprint(input)}.mp4`;
    const done = last.then(() => render(input, file));
    last = done.catch(() => undefined);
    return done;
  };
}

function fingerprint({ picturePath, soundPath, text, speakerId, maxSeconds }: RenderInput): string {
  const parts = [picturePath, soundPath ?? ['text', text, speakerId ?? ''], maxSeconds];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}
