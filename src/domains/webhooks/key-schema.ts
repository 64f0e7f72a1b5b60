import type { ObjectRef } from '@pothos/core';
import { builder } from '../../graphql/builder.ts';
import type { Caller } from '../../graphql/context.ts';
import { accessErrors } from '../../graphql/errors.ts';
import { listOf, upstreamCallCost } from '../../graphql/prices.ts';
import type { WebhookKey } from './service.ts';

// Referenced by name: other slices can import only `schema.ts` and `service.ts`, and `Viewer` is defined in another file.
const viewerRef = 'Viewer' as unknown as ObjectRef<typeof builder.$inferSchemaTypes, Caller>;

const WebhookKeyRef = builder.objectRef<WebhookKey>('WebhookKey').implement({
  description:
    "A key that signs the caller's webhooks. Its secret is shown only once, by `rotateWebhookSecret`.",
  fields: (t) => ({
    hint: t.exposeString('hint', {
      description: 'The last four characters of the secret, to distinguish keys.',
    }),
    createdAt: t.field({
      type: 'DateTime',
      description: 'When the key was created.',
      resolve: ({ createdAt }) => createdAt,
    }),
    expiresAt: t.field({
      type: 'DateTime',
      nullable: true,
      description:
        'When the key stops signing. Null for the newest key, which signs until it is replaced.',
      resolve: ({ expiresAt }) => expiresAt,
    }),
  }),
});

builder.objectField(viewerRef, 'webhookKeys', (t) =>
  t.field({
    type: [WebhookKeyRef],
    nullable: true,
    directives: { listSize: listOf(2) },
    authScopes: { scope: 'lipsync:read' },
    description:
      "The keys that sign the caller's webhooks now, the newest first, at most two. Empty before the first webhook or `rotateWebhookSecret`. Null with an entry in `errors` without the scope `lipsync:read`.",
    resolve: ({ owner }, _, { services }) => services.webhooks.listKeys(owner),
  }),
);

const RotateSuccessRef = builder
  .objectRef<{ key: WebhookKey; secret: string }>('RotateWebhookSecretSuccess')
  .implement({
    description: 'A new secret was created.',
    fields: (t) => ({
      key: t.field({
        type: WebhookKeyRef,
        description: 'The key of the secret.',
        resolve: ({ key }) => key,
      }),
      secret: t.exposeString('secret', {
        description:
          'The secret: `whsec_` and base64, the format of the Standard Webhooks libraries. It is not shown again.',
      }),
    }),
  });

builder.mutationFields((t) => ({
  rotateWebhookSecret: t.field({
    type: RotateSuccessRef,
    directives: { cost: upstreamCallCost },
    authScopes: { scope: 'lipsync:write' },
    description:
      "Creates a new secret for the caller's webhooks. This is the only time that the secret is shown. The previous secret also signs for 24 more hours; older secrets stop signing now. Needs the scope `lipsync:write`.",
    errors: {
      types: accessErrors,
      union: {
        name: 'RotateWebhookSecretResult',
        description: 'The new secret, or the reason why it was not created.',
      },
    },
    resolve: (_root, _args, { caller, services }) => services.webhooks.rotateSecret(caller.owner),
  }),
}));
