import { AccountPendingError, InvalidInputError } from '../../errors.ts';
import { builder } from '../../graphql/builder.ts';
import { setCacheHint, setShared } from '../../graphql/cache-hints.ts';
import { defineEntity } from '../../graphql/entity.ts';
import { accessErrors, answerWithin, upstreamErrors } from '../../graphql/errors.ts';
import { keyOf } from '../../graphql/ids.ts';
import { listOf, upstreamCallCost } from '../../graphql/prices.ts';
import type { Voice, VoiceService } from './service.ts';

declare module '../../graphql/context.ts' {
  interface Services {
    voices: VoiceService;
  }
}

/**
 * The upstream adds a voice a few times a year, so a list that is five minutes old is good enough. A lip-sync with a
 * removed voice is rejected before it is charged.
 */
const maxAgeSeconds = 300;

export const VoiceRef = builder.loadableNode('Voice', {
  description: 'A voice that can speak the text of a lip-sync.',
  id: { resolve: ({ speakerId }: Voice) => speakerId, description: 'Opaque and stable.' },
  load: (keys: string[], { caller, services }): Promise<(Voice | null)[]> =>
    caller.scopes.has('lipsync:read')
      ? Promise.all(keys.map((key) => services.voices.findFresh(key)))
      : Promise.resolve(keys.map(() => null)),
  fields: (t) => ({
    name: t.exposeString('name', {
      nullable: true,
      description: 'The name of the voice. Null if the video service gives none.',
    }),
    previewUrl: t.expose('previewUrl', {
      type: 'URL',
      nullable: true,
      description: 'A sound file in which the voice speaks. Null if there is none.',
    }),
  }),
});

defineEntity(VoiceRef, { scope: 'lipsync:read' });

const VoiceListRef = builder.objectRef<{ nodes: Voice[] }>('VoiceList').implement({
  description: 'All voices of the video service.',
  fields: (t) => ({
    nodes: t.field({
      type: [VoiceRef],
      directives: { listSize: listOf(20) },
      description: 'The voices, in the order of the video service.',
      extensions: { isLoaded: true },
      resolve: ({ nodes }) => nodes,
    }),
  }),
});

const failureKinds = [InvalidInputError, ...upstreamErrors, AccountPendingError, ...accessErrors];

builder.queryFields((t) => ({
  voices: t.field({
    type: VoiceListRef,
    directives: { cost: upstreamCallCost },
    description: 'The voices that can speak the text of a lip-sync. Needs the scope lipsync:read.',
    authScopes: { scope: 'lipsync:read' },
    errors: {
      types: failureKinds,
      union: { name: 'VoicesResult', description: 'The voices, or why they could not be read.' },
    },
    resolve: async (...[, , context, info]) => {
      const nodes = await answerWithin(failureKinds, context.services.voices.list(context.signal));
      // The upstream sometimes gives an empty list by mistake, which must not be cached.
      if (nodes.length > 0) {
        setCacheHint(context, info, maxAgeSeconds);
        setShared(context, info);
      }
      return { nodes };
    },
  }),
  voice: t.field({
    type: VoiceRef,
    nullable: true,
    description:
      'One voice by its id, or null if there is none. Needs the scope lipsync:read. If the video service fails, the field is null with an entry in errors.',
    authScopes: { scope: 'lipsync:read' },
    directives: { cost: upstreamCallCost },
    args: { id: t.arg.id({ required: true, description: 'The id of the voice.' }) },
    resolve: (...[, { id }, context, info]) => {
      setCacheHint(context, info, maxAgeSeconds);
      return keyOf('Voice', id);
    },
  }),
}));
