/** Query parameters that clients use for tokens. URLs are kept in logs, browser histories and referrers. */
const tokenParameters =
  /^(token|access_?token|id_?token|auth|authorization|bearer|jwt|api_?-?key|connection_?(init|params))$/i;

/** True if the query of the URL has a parameter for a token. */
export function hasToken(url: string): boolean {
  const search = new URLSearchParams(url.slice(url.indexOf('?') + 1));
  return url.includes('?') && search.keys().some((name) => tokenParameters.test(name));
}
