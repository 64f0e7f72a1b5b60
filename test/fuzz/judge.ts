/** What came back from a door, or did not. */
export type Outcome = {
  /** Null where there was none: over a WebSocket, or where nothing came. */
  status: number | null;
  /** The answer, or all frames of one. */
  text: string;
  /** Of a WebSocket that the server closed. */
  closeCode?: number | undefined;
  /** Why there was no answer. */
  broken?: string | undefined;
};

/** Words of machinery: no text that is meant for callers has them. */
const innards =
  /\n\s+at |node:internal|node_modules|\/src\/|\.ts:\d|TypeError|ReferenceError|RangeError|SyntaxError:|Cannot read propert|is not a function|is not iterable|PGlite|pgboss|relation "|violates |syntax for type|\bselect \$|127\.0\.0\.1:\d+\/v2|user:\d+-/;

/** "Internal error" and "internal server error" of WebSockets: GraphQL's own and the protocol's. */
const brokenCloses: ReadonlySet<number> = new Set([1006, 1011, 4500]);

/** What must never be, whatever was sent. Null where all is well. */
export function judge({ status, text, closeCode, broken }: Outcome): string | null {
  if (broken !== undefined) return `no answer: ${broken}`;
  if (status !== null && status >= 500) return `status ${status}`;
  if (closeCode !== undefined && brokenCloses.has(closeCode)) return `closed with ${closeCode}`;
  if (text.includes('INTERNAL_SERVER_ERROR')) return 'an unmeant error';
  // GraphiQL's page has all of its code in it.
  const leak = /<!doctype html>/i.test(text) ? null : innards.exec(text);
  return leak === null ? null : `an unmasked error: ${leak[0].trim()}`;
}
