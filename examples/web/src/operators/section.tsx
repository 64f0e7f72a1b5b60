import { Paper, Stack, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import classes from './operators.module.css';

type SectionProps = { id: string; title: string; children: ReactNode };

export function Section({ id, title, children }: SectionProps) {
  return (
    <Paper component="section" aria-labelledby={id} p="lg" withBorder>
      <Stack gap="sm">
        <Title order={2} size="h4" id={id}>
          {title}
        </Title>
        {children}
      </Stack>
    </Paper>
  );
}

type TableProps = {
  /** The id of the heading that names the table. */
  labelledBy: string;
  columns: readonly string[];
  /** Shown in place of a table without rows. */
  empty: string;
  /** Each with a key. */
  rows: readonly ReactNode[];
};

/** Wider than a small window: it then scrolls by itself, and not the page. */
export function Table({ labelledBy, columns, empty, rows }: TableProps) {
  if (rows.length === 0) return <Text c="dimmed">{empty}</Text>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: with the keyboard, only an element with focus can be scrolled
    <div className={classes.scroll} tabIndex={0}>
      <table className={classes.table} aria-labelledby={labelledBy}>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{rows}</tbody>
      </table>
    </div>
  );
}
