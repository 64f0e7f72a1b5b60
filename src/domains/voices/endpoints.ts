import { z } from 'zod';
import type { ReadOptions, Upstream } from '../../upstream/client.ts';
import { looseId, looseList, looseText, looseUrl, readItems } from '../../upstream/wire.ts';

export type UpstreamVoice = { speakerId: string; name: string; previewUrl: string | null };

const voices = looseList('tts_list', 'data');

const voice = z
  // The loose shapes trim: the address of voice 3 ends in a line break.
  .object({ speaker_id: looseId, display_name: looseText, url: looseUrl })
  .transform((item, context): UpstreamVoice => {
    if (item.speaker_id === null) {
      context.addIssue({ code: 'custom', message: 'There is no speaker_id.' });
      return z.NEVER;
    }
    const speakerId = item.speaker_id;
    return { speakerId, name: item.display_name ?? `Voice ${speakerId}`, previewUrl: item.url };
  });

/** GET /videos/voices/. `email` is required where there is more than one account. */
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
