/** The answer to a plan, or its absence. */
export type Outcome = {
  /** Null over a WebSocket and without an answer. */
  status: number | null;
  /** The body of the answer, or all its frames. */
  text: string;
  /** The close code of a WebSocket that the server closed. */
  closeCode?: number | undefined;
  /** Why there was no answer. */
  broken?: string | undefined;
};

/** Internal terms that never occur in texts for callers. */
const innards =
  /\n\s+at |node:internal|node_modules|\/src\/|\.ts:\d|TypeError|ReferenceError|RangeError|SyntaxError:|Cannot read propert|is not a function|is not iterable|PGlite|pgboss|relation "|violates |syntax for type|\bselect \$|127\.0\.0\.1:\d+\/v2|user:\d+-/;

/** The WebSocket close codes for internal errors. */
const brokenCloses: ReadonlySet<number> = new Set([1006, 1011, 4500]);

/** The defect in an answer; null without one. */
export function judge({ status, text, closeCode, broken }: Outcome): string | null {
  if (broken !== undefined) return `no answer: ${broken}`;
  if (status !== null && status >= 500) return `status ${status}`;
  if (closeCode !== undefined && brokenCloses.has(closeCode)) return `closed with ${closeCode}`;
  if (text.includes('INTERNAL_SERVER_ERROR')) return 'an unmeant error';
  // The GraphiQL page contains program code.
  const leak = /<!doctype html>/i.test(text) ? null : innards.exec(text);
  return leak === null ? null : `an unmasked error: ${leak[0].trim()}`;
}
