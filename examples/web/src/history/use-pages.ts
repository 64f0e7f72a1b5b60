import { useState } from 'react';

export type Pages = ReturnType<typeof usePages>;

/**
 * Where one is in a list that is read by cursors: they lead forward only, so the way back is remembered.
 *
 * @param list with another one it begins again
 */
export function usePages(list: string) {
  const [at, setAt] = useState<{ list: string; way: string[] }>({ list, way: [] });
  const way = at.list === list ? at.way : [];
  const go = (next: string[]) => setAt({ list, way: next });
  return {
    /** Of the page, null for the first. */
    after: way.at(-1) ?? null,
    number: way.length + 1,
    older: (cursor: string) => go([...way, cursor]),
    newer: () => go(way.slice(0, -1)),
  };
}
