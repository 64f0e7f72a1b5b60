import {
  createProxy,
  verifyWebhook,
  WebhookVerificationError,
} from 'lipsync-graphql-client/server';

type Session = { token: string };

/** Next.js: `export const POST = createGraphqlRoute(…)` in `app/api/graphql/route.ts`. */
export function createGraphqlRoute(readSession: (request: Request) => Promise<Session | null>) {
  return createProxy({ url: 'https://lipsync.internal/graphql', authenticate: readSession });
}

/** Next.js: `export const POST = …` in `app/api/lipsyncs/route.ts`. */
export async function receiveWebhook(request: Request, secret: string): Promise<Response> {
  try {
    const { type, data } = await verifyWebhook(request, secret);
    if (type === 'lipsync.completed') await save(data.reference, data.result?.url ?? null);
    return new Response(null, { status: 204 });
  } catch (error) {
    if (error instanceof WebhookVerificationError) return new Response(null, { status: 401 });
    throw error;
  }
}

async function save(reference: string | null, url: string | null): Promise<void> {
  process.stdout.write(`${reference}: ${url}\n`);
}
