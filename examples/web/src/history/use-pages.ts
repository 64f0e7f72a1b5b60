import { useState } from 'react';

export type Pages = ReturnType<typeof usePages>;

/**
 * The current page of a list with cursors. Cursors lead only forward, so the cursors of the earlier pages are kept.
 *
 * @param list identifies the list: a new value starts at the first page
 */
export function usePages(list: string) {
  const [position, setPosition] = useState<{ list: string; cursors: string[] }>({
    list,
    cursors: [],
  });
  const cursors = position.list === list ? position.cursors : [];
  const goTo = (next: string[]) => setPosition({ list, cursors: next });
  return {
    /** Null for the first page. */
    after: cursors.at(-1) ?? null,
    number: cursors.length + 1,
    older: (cursor: string) => goTo([...cursors, cursor]),
    newer: () => goTo(cursors.slice(0, -1)),
  };
}
