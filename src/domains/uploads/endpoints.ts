import { z } from 'zod';
import type { Upstream } from '../../upstream/client.ts';
import { lenientText, lenientUrl } from '../../upstream/lenient-shapes.ts';

export type FileToPost = {
  /** Read with backpressure, never closed. */
  body: AsyncIterable<Uint8Array>;
  /** Decides the kind of file upstream, such as `audio/mpeg`. */
  contentType: string;
  /** In bytes, at most 5 GB. */
  contentLength?: number | undefined;
  /** Required if the upstream has more than one account. All accounts can use the file. */
  email?: string | undefined;
  signal?: AbortSignal | undefined;
};

/** `path` is opaque and goes into `audioPath` or `videoPath`. */
export type UpstreamFile = { path: string; url: string | null };

const flat = z.object({ path: lenientText, url: lenientUrl, err_msg: lenientText });

// Two documented shapes: the fields of an image are in `result[0]`, those of audio and video at the top level.
const posted = flat
  .extend({ result: z.array(flat).nullish().catch(null) })
  .transform((body, context): UpstreamFile => {
    const file = body.result?.[0] ?? body;
    if (file.path === null || file.err_msg !== null) {
      context.addIssue({ code: 'custom', message: 'path is missing, or err_msg is set.' });
      return z.NEVER;
    }
    return { path: file.path, url: file.url };
  });

/** POST /files/: raw bytes, streamed and sent once. */
export async function postFile(upstream: Upstream, file: FileToPost): Promise<UpstreamFile> {
  const { email, ...body } = file;
  return await upstream.upload({ ...body, path: '/files/', query: { email }, schema: posted });
}
