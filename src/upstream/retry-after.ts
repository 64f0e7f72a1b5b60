/**
 * `Retry-After` as seconds from now: a number of seconds or an HTTP date (RFC 9110, 10.2.3). Negative for a date that
 * has passed. The upstream also writes the value into its JSON body, there as a number.
 *
 * @returns undefined for anything else, such as a header that came twice
 */
export function parseRetryAfterSeconds(value: unknown): number | undefined {
  if (typeof value === 'number') {
    return Number.isFinite(value) ? value : undefined;
  }
  if (typeof value !== 'string') {
    return undefined;
  }
  const text = value.trim();
  if (/^\d{1,9}(?:\.\d+)?$/.test(text)) {
    return Number(text);
  }
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : (date - Date.now()) / 1000;
}
