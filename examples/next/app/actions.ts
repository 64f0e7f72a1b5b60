'use server';

import { createLipsync } from 'lipsync-graphql-client';
import { cookies } from 'next/headers';
import { prepareWebhooks, readEnv, readUserId, serverFor } from '../lipsync-server.ts';

export type MakeAnswer = { id: string } | { message: string };

/**
 * A server action: creates a lip-sync for the user of the session. The form has a key of its own, so that submitting it
 * twice creates one.
 */
export async function makeLipsync(
  _previous: MakeAnswer | null,
  form: FormData,
): Promise<MakeAnswer> {
  const userId = readUserId((await cookies()).toString());
  if (userId === null) return { message: 'Sign in first.' };
  await prepareWebhooks(userId);
  const read = (name: string) => String(form.get(name) ?? '');
  const answer = await createLipsync(serverFor(userId), {
    video: { videoId: read('videoId') },
    speech: { script: { text: read('text') } },
    idempotencyKey: read('key'),
    callbackUrl: `${readEnv('APP_URL')}/api/lipsyncs?user=${encodeURIComponent(userId)}`,
  });
  return 'lipsync' in answer ? { id: answer.lipsync.id } : { message: answer.message };
}
