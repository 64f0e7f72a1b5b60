import { AccountPendingError } from '../../errors.ts';
import type { Upstream } from '../../upstream/client.ts';
import type { Freshness } from '../../upstream/freshness.ts';
import { type AccountService, sortHealthyFirst } from '../accounts/service.ts';
import { listVoices } from './endpoints.ts';

/** Plain JSON: a lip-sync stores it in its row. */
export type Voice = { speakerId: string; name: string | null; previewUrl: string | null };

export type VoiceServiceOptions = {
  upstream: Upstream;
  accounts: AccountService;
  freshness: Freshness;
};

type CachedVoices = { nodes: Voice[]; byId: ReadonlyMap<string, Voice> };

/** The upstream adds a voice a few times a year. Not with `READ_FRESH_MS=0`, which disables the cache. */
const minFreshMs = 60_000;

const key = 'voices';

export type VoiceService = {
  /**
   * All voices, at most a minute old, or `READ_FRESH_MS` if that is longer. Throws the upstream's failure: an older list is
   * never used instead. A read is aborted when the `signal` of each of its callers is aborted.
   */
  list(signal?: AbortSignal): Promise<Voice[]>;
  /** Null for an unknown voice. Waits for a new list only if the last one lacks the voice and is too old. */
  find(speakerId: string): Promise<Voice | null>;
  /**
   * From `list`; while the upstream cannot be read, a voice of the last list, of any age, or the failure. Null for an unknown
   * voice.
   */
  findFresh(speakerId: string): Promise<Voice | null>;
};

export function createVoiceService(options: VoiceServiceOptions): VoiceService {
  const { upstream, accounts, freshness } = options;
  const reads = freshness.openReads<CachedVoices>(['voices'], {
    freshMs: freshness.readFreshMs === 0 ? 0 : Math.max(minFreshMs, freshness.readFreshMs),
    maxCached: 1,
    // The upstream sometimes gives an empty list by mistake.
    isCacheable: ({ nodes }) => nodes.length > 0,
  });

  const readVoices = async (signal: AbortSignal): Promise<CachedVoices> => {
    const present = sortHealthyFirst(await accounts.listPresent());
    // All accounts have the same voices, but the upstream requires an e-mail if it has more than one account.
    const emails = present.length > 1 ? present.map(({ email }) => email) : [undefined];
    const nodes = await listFromAny(emails, signal);
    return { nodes, byId: new Map(nodes.map((voice) => [voice.speakerId, voice])) };
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
    list: async (signal) => (await reads.read(key, readVoices, signal)).nodes,
    async find(speakerId) {
      const known = reads.findCached(key)?.byId.get(speakerId);
      return known ?? (await reads.read(key, readVoices)).byId.get(speakerId) ?? null;
    },
    async findFresh(speakerId) {
      const known = reads.findCached(key)?.byId.get(speakerId);
      try {
        return (await reads.read(key, readVoices)).byId.get(speakerId) ?? null;
      } catch (thrown) {
        if (known === undefined) throw thrown;
        return known;
      }
    },
  };
}
