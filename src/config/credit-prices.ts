import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { path } from './shapes.ts';

/** What a job costs: the first entry whose conditions the job meets. An omitted condition is always met. */
const price = z.strictObject(
  {
    speech: z.enum(['TEXT', 'AUDIO'], 'speech must be TEXT or AUDIO').optional(),
    offPeak: z.boolean('offPeak must be true or false').optional(),
    upToSeconds: z.number().positive('upToSeconds must be a number above 0').optional(),
    credits: z.number('credits must be a number from 0').min(0, 'credits must be a number from 0'),
    creditsPerSecond: z
      .number('creditsPerSecond must be a number from 0')
      .min(0, 'creditsPerSecond must be a number from 0')
      .optional(),
  },
  {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? 'can have only speech, offPeak, upToSeconds, credits and creditsPerSecond'
        : 'must be an object with credits',
  },
);

const notPrices = 'must be the path of a JSON list of prices, such as [{"credits": 20}]';

/** The file is read here, so that its problems are reported together with all others. */
export const creditPrices = path
  .transform(readJson)
  .pipe(z.array(price, notPrices).min(1, notPrices));

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
