import { z } from 'zod';
import type { Upstream } from '../../upstream/client.ts';
import { looseText, looseUrl } from '../../upstream/wire.ts';

export type FileToPost = {
  /** Read with back-pressure, never closed. */
  body: AsyncIterable<Uint8Array>;
  /** Selects the kind upstream, as in `audio/mpeg`. */
  contentType: string;
  /** In bytes, at most 5 GB. */
  contentLength?: number | undefined;
  /** Required where there is more than one account; the file can be used from all of them. */
  email?: string | undefined;
  signal?: AbortSignal | undefined;
};

/** `path` is opaque and goes into `audioPath` or `videoPath`. */
export type UpstreamFile = { path: string; url: string | null };

const flat = z.object({ path: looseText, url: looseUrl, err_msg: looseText });

// Two documented shapes: an image's fields stand in `result[0]`, those of audio and video at the top.
const posted = flat
  .extend({ result: z.array(flat).nullish().catch(null) })
  .transform((body, context): UpstreamFile => {
    const file = body.result?.[0] ?? body;
    if (file.path === null || file.err_msg !== null) {
      context.addIssue({ code: 'custom', message: 'There is no path, or an err_msg.' });
      return z.NEVER;
    }
    return { path: file.path, url: file.url };
  });

/** POST /files/: raw bytes, streamed and sent once. */
export async function postFile(upstream: Upstream, file: FileToPost): Promise<UpstreamFile> {
  const { email, ...body } = file;
  return await upstream.upload({ ...body, path: '/files/', query: { email }, schema: posted });
}
