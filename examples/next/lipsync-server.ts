import type { LipsyncServer } from 'lipsync-graphql-client';
import { signUserToken } from 'lipsync-graphql-client/server';

/** The sessions of your application, by the value of their cookie: your own sign-in replaces this. */
export const userIdBySession = new Map<string, string>();

export function readUserId(cookies: string | null): string | null {
  const [, session = ''] = /(?:^|; )session=([^;]+)/.exec(cookies ?? '') ?? [];
  return userIdBySession.get(session) ?? null;
}

/** A token for the user, by which the user is an owner. `videos:read` shows the videos of the accounts. */
export function signToken(userId: string): Promise<string> {
  const scopes = ['lipsync:read', 'lipsync:write', 'videos:read'] as const;
  return signUserToken({ subject: userId, scopes }, readEnv('LIPSYNC_JWT_SECRET'));
}

export function serverFor(userId: string): LipsyncServer {
  return { url: readEnv('LIPSYNC_URL'), token: () => signToken(userId) };
}

/** The secret of each user's webhooks, because each user is an owner: your own database replaces this. */
const webhookSecretByUserId = new Map<string, string>();

export function findWebhookSecret(userId: string): string | null {
  return webhookSecretByUserId.get(userId) ?? null;
}

/** The requests for a secret, by user. */
const preparations = new Map<string, Promise<void>>();

/**
 * Asks for the user's secret, which must be stored before the first webhook arrives. Requests at the same time share one
 * rotation: with two, the one whose answer is stored last may be the older secret. The next request tries again after an error. This Map
 * lasts as long as the process, so that each restart and each instance rotates again: with a database, look there first.
 */
export function prepareWebhooks(userId: string): Promise<void> {
  const known = preparations.get(userId);
  if (known !== undefined) return known;
  const preparation = rotateWebhookSecret(userId).then(
    (secret) => {
      webhookSecretByUserId.set(userId, secret);
    },
    (error: unknown) => {
      preparations.delete(userId);
      throw error;
    },
  );
  preparations.set(userId, preparation);
  return preparation;
}

async function rotateWebhookSecret(userId: string): Promise<string> {
  const response = await fetch(readEnv('LIPSYNC_URL'), {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${await signToken(userId)}`,
    },
    body: JSON.stringify({
      query: 'mutation { rotateWebhookSecret { ... on RotateWebhookSecretSuccess { secret } } }',
    }),
  });
  const { data } = (await response.json()) as {
    data?: { rotateWebhookSecret: { secret?: string } };
  };
  const secret = data?.rotateWebhookSecret.secret;
  if (secret === undefined) throw new Error('There is no secret for webhooks.');
  return secret;
}

/** Read when a request arrives: `next build` runs without them. */
export function readEnv(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`Set ${name}.`);
  return value;
}
