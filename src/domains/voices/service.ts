import { AccountPendingError } from '../../errors.ts';
import type { Upstream } from '../../upstream/client.ts';
import { Crowd } from '../../upstream/crowd.ts';
import { type AccountService, inOrderFirst } from '../accounts/service.ts';
import { listVoices } from './endpoints.ts';

/** Plain JSON: a lip-sync keeps it in its row. */
export type Voice = { speakerId: string; name: string | null; previewUrl: string | null };

export type VoiceServiceOptions = {
  upstream: Upstream;
  accounts: AccountService;
  now: () => Date;
};

/** A voice that is not in a list this young does not exist. */
const freshMs = 60_000;

export type VoiceService = {
  /**
   * One upstream call for all who ask at the same time, which ends when all of them have left (`signal`). Throws the
   * upstream's failure: nothing older answers, but to a crowd.
   */
  list(signal?: AbortSignal): Promise<Voice[]>;
  /** From the list read last, where it has the voice or is young; else from a new one. Null = there is no such voice. */
  find(speakerId: string): Promise<Voice | null>;
};

export function createVoiceService(options: VoiceServiceOptions): VoiceService {
  const { upstream, accounts, now } = options;
  const crowd = new Crowd<Voice[]>(now);
  let voices = new Map<string, Voice>();
  let readAt = Number.NEGATIVE_INFINITY;

  const list = (signal?: AbortSignal) => crowd.join(read, signal);
  const read = async (signal: AbortSignal) => {
    const present = inOrderFirst(await accounts.listPresent());
    // The voices are the same everywhere; which account's they are must be said where there are several.
    const emails = present.length > 1 ? present.map(({ email }) => email) : [undefined];
    const fresh = await listFromAny(emails, signal);
    voices = new Map(fresh.map((voice) => [voice.speakerId, voice]));
    readAt = now().getTime();
    return fresh;
  };

  /** An account may be on hold without anybody having been told: then the next one is asked. */
  async function listFromAny(
    [email, ...others]: readonly (string | undefined)[],
    signal: AbortSignal,
  ): Promise<Voice[]> {
    try {
      return await listVoices(upstream, { email }, { signal });
    } catch (thrown) {
      if (!(thrown instanceof AccountPendingError) || others.length === 0) throw thrown;
      return listFromAny(others, signal);
    }
  }

  return {
    list,
    async find(speakerId) {
      const isYoung = now().getTime() - readAt < freshMs;
      if (!voices.has(speakerId) && !isYoung) await list();
      return voices.get(speakerId) ?? null;
    },
  };
}
