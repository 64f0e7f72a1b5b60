import type { Sql } from '../sql.ts';
import { readSequences, readTables, type Sequence } from './tables.ts';

export type DumpPart =
  /** `rows` is a JSON list as the database wrote it: JavaScript would round its large numbers. */
  { kind: 'rows'; table: string; count: number; rows: string } | ({ kind: 'sequence' } & Sequence);

const batchSize = 500;

/** Every row of our tables, in an order in which they can be inserted. Call it inside `readSnapshot`. */
export async function* exportRows(tx: Sql): AsyncGenerator<DumpPart> {
  for (const { name, columns } of await readTables(tx)) {
    const list = columns.map((column) => `"${column}"`).join(', ');
    await tx.query(
      `declare dump no scroll cursor for
       select row_to_json(each)::text as row from (select ${list} from "${name}") each`,
    );
    for (;;) {
      const rows = await tx.query<{ row: string }>(`fetch ${batchSize} from dump`);
      if (rows.length === 0) break;
      const text = `[${rows.map(({ row }) => row).join(',')}]`;
      yield { kind: 'rows', table: name, count: rows.length, rows: text };
    }
    await tx.query('close dump');
  }
  for (const sequence of await readSequences(tx)) yield { kind: 'sequence', ...sequence };
}
