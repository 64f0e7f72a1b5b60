import { createProxy } from 'lipsync-graphql-client/server';
import { readEnv, readUserId, signToken } from '../../../lipsync-server.ts';

/** Pages use `/api/graphql` as the `url` of their server, and see neither the address nor the secret behind it. */
export function POST(request: Request): Promise<Response> {
  const proxy = createProxy({
    url: readEnv('LIPSYNC_URL'),
    authenticate: async ({ headers }) => {
      const userId = readUserId(headers.get('cookie'));
      return userId === null ? null : { token: await signToken(userId) };
    },
  });
  return proxy(request);
}
