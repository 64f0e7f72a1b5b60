import { z } from 'zod';
import { type JobEffects, jobEffectsShape } from './job-effects.ts';

/** A response that a path gives instead of its own, a number of times. */
const pathFaultSchema = z.strictObject({
  /** Below the API base, such as `/videos/lipsync`. A trailing slash is ignored; a trailing `*` matches any rest. */
  path: z.string().startsWith('/'),
  /** Default: any method. */
  method: z.string().toUpperCase().optional(),
  /** `answer` with status and body, `cut` the connection without a byte, or `hang` without any answer. */
  action: z.enum(['answer', 'cut', 'hang']).default('answer'),
  /** `before`: the request has no effect. `after`: the request is carried out and only its answer is replaced. */
  effect: z.enum(['before', 'after']).default('before'),
  /** 200 to 599, 596 included. */
  status: z.number().int().min(200).max(599).default(500),
  /** A string is sent as it is (text, HTML, half JSON, empty), any other value as JSON. Default: the documented error. */
  body: z.unknown().optional(),
  /** Such as `retry-after`. They replace the sandbox's own headers of the same name. */
  headers: z.record(z.string(), z.string()).optional(),
  /** The connection is cut after this many bytes of the body. */
  truncateAt: z.number().int().nonnegative().optional(),
  /** Delay of the answer in milliseconds. */
  delayMs: z.number().nonnegative().optional(),
  times: z.number().int().positive().default(1),
});
export type PathFault = z.infer<typeof pathFaultSchema>;

const count = z.number().int().nonnegative();

/** Every switch; each is off when absent. A count goes down with every use. */
const switchesSchema = z.strictObject({
  ...jobEffectsShape,
  /** Delay of every answer of the API in milliseconds. */
  delayMs: z.number().nonnegative().optional(),
  /** The next lip-sync POSTs are refused with these statuses, one each, with the documented bodies. */
  statusNext: z.array(z.number().int().min(200).max(599)).optional(),
  failPath: z
    .union([pathFaultSchema.transform((fault) => [fault]), z.array(pathFaultSchema)])
    .optional(),
  /** The next n requests of any kind answer 503. */
  burst5xx: count.optional(),
  /** The next n lip-sync POSTs make their job and are then cut without an answer. */
  cutNext: count.optional(),
  /** The next n lip-sync POSTs make their job and are never answered. */
  hangNext: count.optional(),
  /** The account with this e-mail has a pending error until POST /accounts/{email}. */
  account596: z.string().optional(),
  /** The account with this e-mail has no credits. */
  account412: z.string().optional(),
  /** The next n lip-sync POSTs reach PixVerse's own limit: 429 (b). */
  providerLimitNext: count.optional(),
  /** Items of GET /videos and of GET one contain `replyRef`. Default: no, since no copy of the documentation shows it. */
  replyRefInLists: z.boolean().optional(),
  /** Items of the scheduler contain `replyRef`. Default: yes, as documented. */
  replyRefInScheduler: z.boolean().optional(),
  /** GET /videos answers `next_offset` and `has_more`, as newer list endpoints do. */
  nextOffset: z.boolean().optional(),
  /**
   * The 200 of a lip-sync contains `cost_credits`, as that of /videos/create does. No copy of the documentation says whether
   * it does. Default: yes, but not with the profile 2024-12.
   */
  costCredits: z.boolean().optional(),
  /** `nested` adds `response.replyRef`, and `errCode` on failure, to callbacks. */
  callbackShape: z.enum(['flat', 'nested']).optional(),
  /** What a DELETE answers: 204 without a body (default), or 200 with JSON. */
  deleteBody: z.enum(['204', 'json']).optional(),
  /** The speed at which uploads are read. */
  trickleBytesPerSecond: z.number().positive().optional(),
  queuedMs: z.number().nonnegative().optional(),
  generatingMs: z.number().nonnegative().optional(),
  profile: z.enum(['2024-12', '2026']).optional(),
});
type Switches = z.infer<typeof switchesSchema>;

/** The switches of one sandbox. They are kept in memory: a restart turns all off. */
export type SwitchStore = {
  readonly current: Switches;
  /** Sets the given switches and keeps the others; null turns one off. Throws a ZodError. */
  set(given: Record<string, unknown>): void;
  clear(): void;
  /** Whether a counted switch is on; takes one from its count. */
  consume(name: 'burst5xx' | 'cutNext' | 'hangNext' | 'providerLimitNext'): boolean;
  /** The effects on a job: its own, then those of the switches. */
  effectsOn(own: JobEffects): JobEffects;
};

export function createSwitchStore(): SwitchStore {
  let current: Switches = {};
  return {
    get current() {
      return current;
    },
    set(given) {
      const parsed: Record<string, unknown> = switchesSchema.parse(
        Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null)),
      );
      const kept = Object.entries({ ...current, ...parsed }).filter(
        ([name]) => given[name] !== null,
      );
      current = Object.fromEntries(kept);
    },
    clear() {
      current = {};
    },
    consume(name) {
      const left = current[name] ?? 0;
      if (left > 0) current = { ...current, [name]: left - 1 };
      return left > 0;
    },
    effectsOn(own) {
      const shared = Object.keys(jobEffectsShape).map((key) => [
        key,
        current[key as keyof JobEffects],
      ]);
      return { ...Object.fromEntries(shared), ...own };
    },
  };
}
