const uuid = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/;

/** Accepts only the lower-case form that PostgreSQL prints, so that each row has one id. Other text would fail in a query. */
export function isUuid(text: string): boolean {
  return uuid.test(text);
}
