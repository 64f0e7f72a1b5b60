/** What becomes of a POST /videos/lipsync. `created`: the job exists, whatever the answer is. */
export const outcomes = {
  accepted: { created: true },
  'created and cut': { created: true },
  'created and 500': { created: true },
  'created without an id': { created: true },
  'created and held': { created: true },
  cut: { created: false },
  held: { created: false },
  '400': { created: false },
  '422': { created: false },
  '429': { created: false },
  '500': { created: false },
} as const;

export type Outcome = keyof typeof outcomes;

export type Post = { replyRef: string; outcome: Outcome };
