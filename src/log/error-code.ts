/**
 * The code of an error, such as `ECONNREFUSED` or `28P01`; undefined if it has none. Safe to log, unlike the message of the
 * error, which can contain a URL.
 */
export function errorCodeOf(error: unknown): string | undefined {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' && /^\w{1,63}$/.test(code) ? code : undefined;
}
