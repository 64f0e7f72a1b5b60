/**
 * What the page asks of its own origin and the API answers. One origin for both spares cross-origin rules, and is how a
 * reverse proxy would do it. The video service calls back on the same address.
 *
 * @param target of the API, as `http://127.0.0.1:4000`
 */
export function proxyTo(target: string) {
  const toApi = { target, ws: true };
  return { '/graphql': toApi, '/uploads': toApi, '/callbacks': toApi };
}
