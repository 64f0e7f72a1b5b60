// biome-ignore-all lint/performance/noBarrelFile: this file is the public API of the subpath /server.

export { createProxy, type ProxyCaller, type ProxyOptions } from './proxy.ts';
export { signUserToken, type UserScope, type UserTokenClaims } from './sign-user-token.ts';
export {
  type LipsyncWebhook,
  type VerifiedWebhook,
  type VerifyWebhookOptions,
  verifyWebhook,
  type WebhookProblem,
  type WebhookRequest,
  WebhookVerificationError,
} from './verify-webhook.ts';
