import { z } from 'zod';

/**
 * How the callbacks of a job behave. `normal` is one on GENERATING and one at the end, each tried once. `final-only`
 * and `many` are other readings of the documentation; the rest are faults.
 */
const callbackModes = [
  'normal',
  'none',
  'final-only',
  'many',
  'doubled',
  'reordered',
  'early',
  'forged',
] as const;
export type CallbackMode = (typeof callbackModes)[number];

/** Deviations of one job from its normal course: by a phrase in its text, or by a switch for all jobs. */
export const jobEffectsShape = {
  /** The final status. Default: COMPLETED. */
  outcome: z.enum(['COMPLETED', 'FAILED', 'MODERATED']).optional(),
  /** Multiplies the time of generating. */
  slowBy: z.number().positive().optional(),
  callbacks: z.enum(callbackModes).optional(),
  /** What GET one answers while the job runs: 404 (documented) or 200 with a status that is not final. */
  getOne: z.enum(['404', '200']).optional(),
  /** QUEUED is shown with `video_status_final: true`, as documented until July 2025. */
  queuedFinal: z.boolean().optional(),
  /** A running job shows a url, as the documentation's own example does. */
  urlWhileRunning: z.boolean().optional(),
  /** While generating, the job shows status 42, without a name and a final flag. */
  unknownStatus: z.boolean().optional(),
  /** The job stays GENERATING and never ends. */
  endless: z.boolean().optional(),
};

export type JobEffects = z.infer<z.ZodObject<typeof jobEffectsShape>>;
