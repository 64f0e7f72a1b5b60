import { z } from 'zod';
import { type Twists, twistShape } from './job-effects.ts';

/** "Answer this path so, that many times." The work horse of tests; see `faults.ts`. */
const faultSchema = z.strictObject({
  /** Below the API base, `/videos/lipsync` say; a trailing slash is ignored, a trailing `*` matches the rest. */
  path: z.string().startsWith('/'),
  /** Any method when left out. */
  method: z.string().toUpperCase().optional(),
  /** `answer` with status and body; `cut` the connection without a byte; `hang` for ever. */
  action: z.enum(['answer', 'cut', 'hang']).default('answer'),
  /** `before`: the request has no effect. `after`: it is carried out, and only its answer is replaced. */
  effect: z.enum(['before', 'after']).default('before'),
  /** 200 to 599, 596 included. */
  status: z.number().int().min(200).max(599).default(500),
  /** A string goes out as it is (text, HTML, half JSON, empty), anything else as JSON. Left out: the documented error. */
  body: z.unknown().optional(),
  /** Such as `retry-after`; they win over those the sandbox would send. */
  headers: z.record(z.string(), z.string()).optional(),
  /** The connection is cut after that many bytes of the body. */
  truncateAt: z.number().int().nonnegative().optional(),
  /** The answer waits this long. */
  delayMs: z.number().nonnegative().optional(),
  times: z.number().int().positive().default(1),
});
export type Fault = z.infer<typeof faultSchema>;

const count = z.number().int().nonnegative();

/** Every switch; each is off when absent. Counts go down as they are used. */
const switchSchema = z.strictObject({
  ...twistShape,
  /** Every answer of the API waits this long. */
  delayMs: z.number().nonnegative().optional(),
  /** The next lip-sync POSTs are refused with these statuses, one each, with the documented bodies. */
  statusNext: z.array(z.number().int().min(200).max(599)).optional(),
  failPath: z.union([faultSchema.transform((fault) => [fault]), z.array(faultSchema)]).optional(),
  /** The next n requests of any kind answer 503. */
  burst5xx: count.optional(),
  /** The next n lip-sync POSTs make their job, and are then cut without an answer. */
  cutNext: count.optional(),
  /** The next n lip-sync POSTs make their job, and are never answered. */
  hangNext: count.optional(),
  /** The account with this e-mail has a pending error until POST /accounts/{email}. */
  account596: z.string().optional(),
  /** The account with this e-mail has no credits. */
  account412: z.string().optional(),
  /** The next n lip-sync POSTs meet PixVerse's own limit: 429 (b). */
  providerLimitNext: count.optional(),
  /** Items of GET /videos and of GET one carry `replyRef`. Default: no, nobody has seen it. */
  replyRefInLists: z.boolean().optional(),
  /** Items of the scheduler carry `replyRef`. Default: yes, it is documented. */
  replyRefInScheduler: z.boolean().optional(),
  /** GET /videos says `next_offset` and `has_more`, as newer list endpoints do. */
  nextOffset: z.boolean().optional(),
  /** A lip-sync's 200 says `cost_credits`, as /videos/create does. */
  costCredits: z.boolean().optional(),
  /** `nested` adds `response.replyRef`, and `errCode` on failure, to callbacks. */
  callbackShape: z.enum(['flat', 'nested']).optional(),
  /** What a DELETE answers: 204 without a body (default), or 200 with JSON. */
  deleteBody: z.enum(['204', 'json']).optional(),
  /** Uploads are read at this pace. */
  trickleBytesPerSecond: z.number().positive().optional(),
  queuedMs: z.number().nonnegative().optional(),
  generatingMs: z.number().nonnegative().optional(),
  profile: z.enum(['2024-12', '2026']).optional(),
});
type Switches = z.infer<typeof switchSchema>;

/** The switches of one sandbox. They live in memory: a restart clears them. */
export type SwitchBoard = {
  readonly now: Switches;
  /** Sets the given switches and leaves the others; null turns one off. Throws a ZodError. */
  change(given: Record<string, unknown>): void;
  clear(): void;
  /** Uses up one of a counted switch. */
  take(name: 'burst5xx' | 'cutNext' | 'hangNext' | 'providerLimitNext'): boolean;
  /** What holds for a job: its own twists first, then the switches. */
  twistsFor(own: Twists): Twists;
};

export function createSwitchBoard(): SwitchBoard {
  let now: Switches = {};
  return {
    get now() {
      return now;
    },
    change(given) {
      const parsed: Record<string, unknown> = switchSchema.parse(
        Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null)),
      );
      const kept = Object.entries({ ...now, ...parsed }).filter(([name]) => given[name] !== null);
      now = Object.fromEntries(kept);
    },
    clear() {
      now = {};
    },
    take(name) {
      const left = now[name] ?? 0;
      if (left > 0) now = { ...now, [name]: left - 1 };
      return left > 0;
    },
    twistsFor(own) {
      const shared = Object.keys(twistShape).map((key) => [key, now[key as keyof Twists]]);
      return { ...Object.fromEntries(shared), ...own };
    },
  };
}
