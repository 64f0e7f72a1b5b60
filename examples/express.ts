// An Express application with the proxy of the kit and a receiver of webhooks. Run by examples/test/recipes.test.ts.

import { getRequestListener } from '@hono/node-server';
import express, { type Express } from 'express';
import {
  createProxy,
  type ProxyOptions,
  type VerifiedWebhook,
  verifyWebhook,
  WebhookVerificationError,
} from 'lipsync-graphql-client/server';

type Options = ProxyOptions & {
  webhookSecret: string;
  onWebhook: (webhook: VerifiedWebhook) => void;
};

export function createApp({ webhookSecret, onWebhook, ...options }: Options): Express {
  const app = express();
  app.post('/graphql', getRequestListener(createProxy(options)));
  app.post('/lipsyncs', express.raw({ type: 'application/json' }), async (request, response) => {
    try {
      const { headers, body } = request;
      onWebhook(await verifyWebhook({ headers, body }, webhookSecret));
      response.sendStatus(204);
    } catch (error) {
      response.sendStatus(error instanceof WebhookVerificationError ? 401 : 500);
    }
  });
  // Below the two, because both need the body as it was sent.
  app.use(express.json());
  return app;
}
