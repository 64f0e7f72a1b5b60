/**
 * Seconds to wait from a `Retry-After` header (seconds or an HTTP date, RFC 9110, 10.2.3) or from a number in a body.
 * Negative for a date in the past; undefined for anything else, such as a repeated header.
 */
export function parseRetryAfterSeconds(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (typeof value !== 'string' || value.trim() === '') return undefined;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return seconds;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : (date - Date.now()) / 1000;
}
