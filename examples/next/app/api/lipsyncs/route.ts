import { verifyWebhook, WebhookVerificationError } from 'lipsync-graphql-client/server';
import { saveVideo } from '../../../finished-videos.ts';
import { findWebhookSecret } from '../../../lipsync-server.ts';

/** The `callbackUrl` of every lip-sync. A delivery may arrive twice, and saving the same video twice changes nothing. */
export async function POST(request: Request): Promise<Response> {
  const secret = findWebhookSecret(new URL(request.url).searchParams.get('user') ?? '');
  if (secret === null) return new Response(null, { status: 401 });
  try {
    const { type, data } = await verifyWebhook(request, secret);
    if (type === 'lipsync.completed') saveVideo(data.id, data.result?.url ?? null);
    return new Response(null, { status: 204 });
  } catch (error) {
    if (error instanceof WebhookVerificationError) return new Response(null, { status: 401 });
    throw error;
  }
}
