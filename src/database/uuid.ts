const uuid = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/;

/** Only the one spelling that PostgreSQL prints, so that a row has one id; a query with anything else would fail. */
export function isUuid(text: string): boolean {
  return uuid.test(text);
}
