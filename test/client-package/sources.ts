/** A server of a user. */
export const backendSource = `
import { createProxy, verifyWebhook } from 'lipsync-graphql-client/server';
export const handler: (request: Request) => Promise<Response> = createProxy({
  url: 'https://lipsync.example/graphql',
  authenticate: async () => ({ token: 'a key' }),
});
export async function receive(request: Request): Promise<string | null> {
  const { type, data } = await verifyWebhook(request, ['whsec_AAAA']);
  // @ts-expect-error No such type of webhook.
  if (type === 'lipsync.started') return null;
  return data.result?.url ?? null;
}
`;

/** A page of a user. */
export const pageSource = `
import { serverSentEvents } from 'lipsync-graphql-client';
import { LipsyncProvider, useLipsync, useMakeLipsync, useUpload } from 'lipsync-graphql-client/react';
import { createElement } from 'react';
const server = { url: '/graphql', transport: serverSentEvents() };
export const page = createElement(LipsyncProvider, { server }, createElement(Page));
function Page() {
  const { state: uploaded } = useUpload();
  const { state } = useMakeLipsync();
  const { state: other } = useLipsync(uploaded.kind === 'UPLOADED' ? uploaded.id : null);
  // @ts-expect-error No such kind of state.
  if (other.kind === 'UPLOADING') return null;
  if (state.kind === 'MAKING') return state.event?.percent ?? 0;
  // @ts-expect-error Only a completed lip-sync has a video.
  if (state.kind === 'ENDED') return state.end.video.url;
  return state.kind;
}
`;
