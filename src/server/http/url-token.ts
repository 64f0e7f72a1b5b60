/** Names that a token goes by in URLs, where logs, histories and referrers keep it. */
const names =
  /^(token|access_?token|id_?token|auth|authorization|bearer|jwt|api_?-?key|connection_?(init|params))$/i;

/** Whether the query of a URL has a parameter that would be a caller's token, or a reservation of a stream. */
export function hasToken(url: string): boolean {
  const search = new URLSearchParams(url.slice(url.indexOf('?') + 1));
  return url.includes('?') && search.keys().some((name) => names.test(name));
}
