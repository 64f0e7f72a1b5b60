/**
 * The paths that the page's origin forwards to the API. One origin for both needs no CORS, as with a reverse proxy in
 * production. The video service sends its callbacks to the same origin.
 *
 * @param target the address of the API, such as `http://127.0.0.1:4000`
 */
export function proxyTo(target: string) {
  const toApi = { target, ws: true };
  return { '/graphql': toApi, '/uploads': toApi, '/results': toApi, '/callbacks': toApi };
}
