import { AccountPendingError } from '../../errors.ts';
import type { Upstream } from '../../upstream/client.ts';
import { CoalescedReads } from '../../upstream/coalesced-reads.ts';
import { type AccountService, sortHealthyFirst } from '../accounts/service.ts';
import { listVoices } from './endpoints.ts';

/** Plain JSON: a lip-sync stores it in its row. */
export type Voice = { speakerId: string; name: string | null; previewUrl: string | null };

export type VoiceServiceOptions = {
  upstream: Upstream;
  accounts: AccountService;
  now: () => Date;
};

/** A voice that is missing from a list younger than this does not exist. */
const freshMs = 60_000;

export type VoiceService = {
  /**
   * All voices, read now; a burst of callers shares one upstream call, which is aborted when all of them have left
   * (`signal`). Throws the upstream's failure: an older list is never used instead.
   */
  list(signal?: AbortSignal): Promise<Voice[]>;
  /** Null for an unknown voice. Reads a new list only if the last one lacks the voice and is not fresh. */
  find(speakerId: string): Promise<Voice | null>;
};

export function createVoiceService(options: VoiceServiceOptions): VoiceService {
  const { upstream, accounts, now } = options;
  const reads = new CoalescedReads<Voice[]>({ keepForBursts: { now } });
  let voices = new Map<string, Voice>();
  let readAt = Number.NEGATIVE_INFINITY;

  const list = (signal?: AbortSignal) => reads.read('voices', readList, signal);
  const readList = async (signal: AbortSignal) => {
    const present = sortHealthyFirst(await accounts.listPresent());
    // All accounts have the same voices, but the upstream requires an e-mail if it has more than one account.
    const emails = present.length > 1 ? present.map(({ email }) => email) : [undefined];
    const fresh = await listFromAny(emails, signal);
    voices = new Map(fresh.map((voice) => [voice.speakerId, voice]));
    readAt = now().getTime();
    return fresh;
  };

  /** Tries the next account if one turns out to be on hold. */
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
      const isFresh = now().getTime() - readAt < freshMs;
      if (!voices.has(speakerId) && !isFresh) await list();
      return voices.get(speakerId) ?? null;
    },
  };
}
