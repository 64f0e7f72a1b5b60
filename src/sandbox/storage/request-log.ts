/** One request as it came, for tests to look at. The bearer token and passwords are left out. */
export type JournalEntry = {
  /** Counts up from 1 and goes on after old entries are dropped. */
  sequence: number;
  at: string;
  method: string;
  /** As written in the request line, with the query, below the API base. */
  path: string;
  headers: Record<string, string | string[] | undefined>;
  /** The parsed body; `{ bytes }` for an upload; absent while it is not read. */
  body?: unknown;
  /** What was answered; absent while it is under way. `aborted`: the client left first. */
  status?: number | 'cut' | 'hang' | 'aborted';
};

const MAX_ENTRIES = 1000;

export type Journal = {
  begin(entry: Omit<JournalEntry, 'sequence' | 'at'>): JournalEntry;
  list(): JournalEntry[];
  clear(): void;
};

export function createJournal(): Journal {
  let entries: JournalEntry[] = [];
  let sequence = 0;
  return {
    begin(given) {
      sequence += 1;
      const { authorization, ...headers } = given.headers;
      const hidden = authorization === undefined ? {} : { authorization: 'Bearer …' };
      const entry = {
        sequence,
        at: new Date().toISOString(),
        ...given,
        headers: { ...headers, ...hidden },
      };
      entries.push(entry);
      if (entries.length > MAX_ENTRIES) entries = entries.slice(-MAX_ENTRIES);
      return entry;
    },
    list: () => entries,
    clear() {
      entries = [];
    },
  };
}
