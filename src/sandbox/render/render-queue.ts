import { createHash } from 'node:crypto';
import type { JobResult } from '../jobs/job.ts';
import type { Script } from './result.ts';
import type { Shelf } from '../storage/file-store.ts';

export type Render = (script: Script) => Promise<JobResult>;

/**
 * Makes finished videos, one at a time, since each is held in memory while it is muxed. The same
 * picture and sound make one file, whoever asks: a load test of ten thousand texts costs one mux.
 */
export function createRender(results: Shelf): Render {
  let line: Promise<unknown> = Promise.resolve();
  const known = new Map<string, JobResult>();
  async function inTurn(script: Script, file: string): Promise<JobResult> {
    const made = results.has(file) && known.get(file);
    if (made) return made;
    // Read when the first video is made: the muxer and its encoder are not what a start should wait for.
    const { makeResult } = await import('./result.ts');
    const result = await makeResult(script, { results, file });
    known.set(file, result);
    return result;
  }
  return (script) => {
    const file = `${fingerprint(script)}.mp4`;
    const done = line.then(() => inTurn(script, file));
    line = done.catch(() => undefined);
    return done;
  };
}

function fingerprint({ picturePath, soundPath, text, speakerId, maxSeconds }: Script): string {
  const made = [picturePath, soundPath ?? ['text', text, speakerId ?? ''], maxSeconds];
  return createHash('sha256').update(JSON.stringify(made)).digest('hex').slice(0, 32);
}
