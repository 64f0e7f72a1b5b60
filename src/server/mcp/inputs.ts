import { z } from 'zod';
import { lipsyncStatuses } from '../../domains/lipsyncs/service.ts';
import { videoStatuses } from '../../domains/videos/service.ts';

/*
 * The inputs of the tools. They have the shapes of the GraphQL inputs, and the rules about values are those of the API:
 * the issues of an `INVALID_INPUT` name the same paths.
 */
const id = (description: string) => z.string().describe(description);

const first = z.int().min(1).max(100).optional().describe('How many: 1 to 100. Default: 20.');
const after = z.string().optional().describe('The `nextCursor` of the page before.');
const createdAfter = z.string().optional().describe('An RFC 3339 time.');

const video = z
  .strictObject({
    videoId: id('A video of `list_videos`, or the `result.id` of a lip-sync.').optional(),
    uploadId: id('An upload of kind VIDEO, such as of `import_upload`.').optional(),
    url: z.string().optional().describe('The http(s) URL of a video file.'),
  })
  .describe('The source video: exactly one of the fields.');

const speech = z
  .strictObject({
    script: z
      .strictObject({
        text: z.string().describe('What is said: 1 to 200 characters.'),
        voiceId: id('A voice of `list_voices`. Default: the video service chooses.').optional(),
      })
      .optional(),
    uploadId: id('An upload of kind AUDIO, at most 60 seconds long.').optional(),
    url: z.string().optional().describe('The http(s) URL of a sound file.'),
  })
  .describe('A text or a sound: exactly one of the fields.');

const offPeak = z.boolean().optional().describe('Slower and cheaper. Default: false.');

export const noInput = z.strictObject({});

export const videoList = z.strictObject({
  first,
  after,
  filter: z
    .strictObject({
      statuses: z.array(z.enum(videoStatuses)).optional(),
      createdAfter,
      createdBefore: createdAfter,
    })
    .optional(),
});

export const estimate = z.strictObject({ video: video.optional(), speech, offPeak });

export const creation = z.strictObject({
  video,
  speech,
  idempotencyKey: z
    .string()
    .describe(
      'A new key for each video that is wanted: 1 to 255 characters. Repeat a call whose answer was lost with the same key and input: it returns the same lip-sync and costs nothing more.',
    ),
  maxCredits: z
    .number()
    .optional()
    .describe('Rejects the lip-sync if its estimated cost is higher. Default: no limit.'),
  offPeak,
  keepOriginalSound: z.boolean().optional().describe("Keeps the video's own sound."),
  reference: z.string().optional().describe('A note of at most 1024 characters, for reading.'),
});

export const importedFile = z.strictObject({
  kind: z.enum(['AUDIO', 'VIDEO']).describe('AUDIO: the speech. VIDEO: the source video.'),
  url: z.string().describe('The public http(s) URL of the file.'),
  filename: z.string().optional().describe('A name for the file, for reading.'),
  clip: z
    .strictObject({
      startSeconds: z.number().optional().describe('Where the part begins. Default: 0.'),
      durationSeconds: z.number().optional().describe('Its length, from 0.1 to 60. Default: 60.'),
    })
    .optional()
    .describe('For AUDIO: the part of the sound that is used, where it is longer than 60 seconds.'),
});

export const lipsyncId = z.strictObject({ id: id('The id of the lip-sync.') });

/** In seconds. The first is below a minute, after which many clients and proxies give up. */
export const waitSeconds = { default: 45, max: 300 };

export const wait = lipsyncId.extend({
  maxSeconds: z
    .int()
    .min(1)
    .max(waitSeconds.max)
    .default(waitSeconds.default)
    .describe(`How long to wait: at most ${waitSeconds.max} seconds.`),
});

export const lipsyncList = z.strictObject({
  first,
  after,
  filter: z
    .strictObject({
      statuses: z.array(z.enum(lipsyncStatuses)).optional(),
      reference: z.string().optional().describe('Exactly this reference.'),
      createdAfter,
      createdBefore: createdAfter,
    })
    .optional(),
});
