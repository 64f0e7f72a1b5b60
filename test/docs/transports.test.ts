import { expect, test } from 'vitest';
import type { Row, Verdict } from '../server/hostile/row.ts';
import { rows } from '../server/hostile/table.ts';
import { toolAttacks } from '../server/hostile/tool-attacks.ts';
import { type TransportGroup, transportGroups } from '../server/hostile/transport-groups.ts';
import { pageOf } from './pages.ts';

const headings: Record<TransportGroup, string> = {
  POST: 'POST',
  GET: 'GET',
  SSE: 'SSE',
  WS: 'WebSocket',
  multipart: 'Multipart',
};

function show(verdict: Verdict | 'executed'): string {
  if (verdict === 'executed') return 'executed';
  const { code, closeCode } = verdict;
  return closeCode === undefined ? `\`${code}\`` : `closed with ${closeCode}`;
}

function verdictOn({ transports, verdict }: Row, group: TransportGroup): string {
  const exception = transports[group];
  return show((exception === 'same' ? undefined : exception.verdict) ?? verdict);
}

function verdictOfTool({ name }: Row): string {
  const attack = toolAttacks[name];
  if (attack === undefined || 'cannot' in attack) return '';
  return attack.code === null ? 'executed' : `\`${attack.code}\``;
}

function cellsOf(row: Row): string[] {
  const [first = '', ...others] = [
    ...transportGroups.map((group) => verdictOn(row, group)),
    verdictOfTool(row),
  ];
  return [row.name, first, ...others.map((verdict) => (verdict === first ? 'same' : verdict))];
}

test('docs/transports.md has the table of attacks, as test:hostile runs it', () => {
  const [head, ...cells] = pageOf('docs/transports.md').rows;
  expect(head).toEqual(['', ...transportGroups.map((group) => headings[group]), '`/mcp`']);
  expect(cells).toEqual(rows.map(cellsOf));
});
