import { InvalidInputError, NotFoundError } from '../../../errors.ts';
import { builder } from '../../../graphql/builder.ts';
import { accessErrors } from '../../../graphql/errors.ts';
import { upstreamCallCost } from '../../../graphql/prices.ts';
import type { Quote } from '../service.ts';
import { SpeechInputRef, toSpeech, toVideo, VideoInputRef } from './create.ts';

const InputRef = builder.inputType('EstimateLipsyncInput', {
  description: 'What decides the cost of a lip-sync: fields as in `CreateLipsyncInput`.',
  fields: (t) => ({
    video: t.field({
      type: VideoInputRef,
      description:
        'The source video, whose account is charged. Left out: any account can make the video.',
    }),
    speech: t.field({ type: SpeechInputRef, required: true, description: 'The audio or text.' }),
    offPeak: t.boolean({ description: 'Off-peak: slower and cheaper. Default false.' }),
  }),
});

const BasisRef = builder.enumType('LipsyncQuoteBasis', {
  description: 'What an estimated cost is based on.',
  values: {
    PRICES: { description: 'The prices in the configuration of this server.' },
    PAST_JOBS: {
      description:
        'The median of the latest completed lip-syncs of the same kind: text or audio, off-peak or not, and a similar length of speech.',
    },
    UNKNOWN: {
      description:
        'Nothing: no price fits, and no lip-sync of the kind with a known cost completed.',
    },
  },
});

const QuoteRef = builder.objectRef<Quote>('LipsyncQuote').implement({
  description: 'The estimated cost and duration of a lip-sync. Nothing was sent or reserved.',
  fields: (t) => ({
    credits: t.exposeFloat('credits', {
      nullable: true,
      description: 'The credits that it will probably cost. Null if that is not known.',
    }),
    basis: t.field({
      type: BasisRef,
      description: 'What `credits` is based on.',
      resolve: ({ basis }) => basis,
    }),
    sampleCount: t.exposeInt('sampleCount', {
      description: 'How many past lip-syncs `credits` is based on: at most 50.',
    }),
    seconds: t.exposeFloat('seconds', {
      nullable: true,
      description:
        'How long the video service will probably take once it has accepted the lip-sync, in seconds: the median of past lip-syncs. Null if none of the kind has completed.',
    }),
    creditsAvailable: t.exposeFloat('creditsAvailable', {
      nullable: true,
      description:
        'The credits of the account of the source video, else of the account with the most. Null if they could not be read.',
    }),
  }),
});

builder.queryField('estimateLipsync', (t) =>
  t.field({
    type: QuoteRef,
    directives: { cost: upstreamCallCost },
    authScopes: { scope: 'lipsync:read' },
    description:
      'What a lip-sync will probably cost and how long it takes. Nothing is created. Whether the video and the voice still exist is not checked.',
    args: {
      input: t.arg({ type: InputRef, required: true, description: 'The lip-sync to estimate.' }),
    },
    errors: {
      types: [InvalidInputError, NotFoundError, ...accessErrors],
      union: {
        name: 'EstimateLipsyncResult',
        description: 'The estimate, or why there is none.',
      },
    },
    resolve: (_, { input }, { caller, services }) =>
      services.lipsyncs.quote({
        owner: caller.owner,
        canSeeAll: caller.scopes.has('videos:read'),
        input: {
          video: input.video == null ? null : toVideo(input.video),
          speech: toSpeech(input.speech),
          offPeak: input.offPeak ?? false,
        },
      }),
  }),
);
