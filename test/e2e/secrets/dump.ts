import { connectDatabase } from '../../../src/database/connect.ts';
import { silentLog } from '../../support/database.ts';

export type Cell = { table: string; column: string; text: string };

/** Every cell of our tables and of those of pg-boss. */
export async function dumpDatabase(url: string): Promise<Cell[]> {
  const db = await connectDatabase({ url, dataDir: '', log: silentLog });
  try {
    const tables = await db.query<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables
       where schemaname not in ('pg_catalog', 'information_schema')`,
    );
    const cells: Cell[] = [];
    for (const { name } of tables) {
      const rows = await db.query<{ column: string; text: string }>(
        `select cell.key as column, cell.value as text
         from ${name} as each, jsonb_each_text(to_jsonb(each)) as cell where cell.value is not null`,
      );
      cells.push(...rows.map((row) => ({ table: name, ...row })));
    }
    return cells;
  } finally {
    await db.close();
  }
}
