import { z } from 'zod';
import type { ReadOptions, Upstream } from '../../upstream/client.ts';
import {
  lenientId,
  lenientList,
  lenientText,
  lenientUrl,
  readItems,
} from '../../upstream/lenient-shapes.ts';

export type UpstreamVoice = { speakerId: string; name: string; previewUrl: string | null };

const voices = lenientList('tts_list', 'data');

const voice = z
  // The lenient shapes trim: the URL of voice 3 ends in a line break.
  .object({ speaker_id: lenientId, display_name: lenientText, url: lenientUrl })
  .transform((item, context): UpstreamVoice => {
    if (item.speaker_id === null) {
      context.addIssue({ code: 'custom', message: 'speaker_id is missing.' });
      return z.NEVER;
    }
    const speakerId = item.speaker_id;
    return { speakerId, name: item.display_name ?? `Voice ${speakerId}`, previewUrl: item.url };
  });

/** GET /videos/voices/. The upstream requires `email` if it has more than one account. */
export async function listVoices(
  upstream: Upstream,
  query: { email?: string | undefined } = {},
  options: ReadOptions = {},
): Promise<UpstreamVoice[]> {
  const path = '/videos/voices/';
  const items = await upstream.read(
    { path, query: { email: query.email }, schema: voices },
    options,
  );
  return readItems(items, voice, (dropped) =>
    upstream.log.debug({ path, dropped }, 'upstream voices without an id'),
  );
}
