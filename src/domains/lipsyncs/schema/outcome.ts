import { restoreFailure } from '../../../errors.ts';
import { builder } from '../../../graphql/builder.ts';
import { LipsyncErrorRef } from '../../../graphql/errors.ts';
import { type Charge, chargeOf, isTerminal } from '../service.ts';
import { LipsyncEventRef, LipsyncRef } from './lipsync.ts';

const ChargeRef = builder.enumType('LipsyncCharge', {
  description: 'What is known about whether the video service charged for a lip-sync.',
  values: {
    NONE: {
      description:
        'Nothing was charged, and nothing will be, except for a QUEUED lip-sync that is sent later. The video service refunds the credits of a job that its moderation rejects.',
    },
    POSSIBLE: {
      description:
        'The lip-sync was sent, or may have been, and its job may be charged: it is still running, it failed, or its outcome is unknown.',
    },
    CHARGED: {
      description:
        'The video service made the video, or was making it when the tracking of the job stopped. `creditsCharged` is the amount, if it is known.',
    },
  } satisfies Record<Charge, object>,
});

export const isFinalDescription =
  'Whether the status is terminal: COMPLETED, FAILED, MODERATED, CANCELLED or EXPIRED. Only a lip-sync that FAILED with `OutcomeUnknownError` can still change: once, if its job is found.';

builder.objectFields(LipsyncRef, (t) => ({
  isFinal: t.boolean({
    description: isFinalDescription,
    resolve: ({ status }) => isTerminal(status),
  }),
  charge: t.field({
    type: ChargeRef,
    description: 'Whether the video service charged for the lip-sync.',
    resolve: chargeOf,
  }),
}));

builder.objectFields(LipsyncEventRef, (t) => ({
  isFinal: t.boolean({
    description: isFinalDescription,
    resolve: ({ status }) => isTerminal(status),
  }),
  failure: t.field({
    type: LipsyncErrorRef,
    nullable: true,
    description: 'Why the lip-sync FAILED or was MODERATED. Null in other events.',
    resolve: ({ failure }) => (failure === null ? null : restoreFailure(failure)),
  }),
}));
