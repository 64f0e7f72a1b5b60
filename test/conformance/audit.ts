import { type AuditResult, serverAudits } from 'graphql-http';

const levels = ['MUST', 'SHOULD', 'MAY'] as const;
export type Level = (typeof levels)[number];

/** The URL of a server and the headers of every request to it. */
export type AuditedServer = { name: string; url: string; headers?: Record<string, string> };

export type Verdict = { id: string; level: Level; rule: string; failure: string | null };

/**
 * The results of the audits of graphql-http (https://github.com/graphql/graphql-http, by the authors of the GraphQL over HTTP
 * specification) for a server. Run one after the other, so that a busy machine answers each in time.
 */
export async function auditHttp({ url, headers = {} }: AuditedServer): Promise<Verdict[]> {
  const fetchFn = (address: string, request: RequestInit = {}) =>
    fetch(address, { ...request, headers: { ...headers, ...request.headers } });
  const verdicts: Verdict[] = [];
  for (const { fn } of serverAudits({ url: `${url}/graphql`, fetchFn })) {
    const result = await fn();
    if ('response' in result) await result.response.body?.cancel().catch(() => undefined);
    verdicts.push(toVerdict(result));
  }
  return verdicts;
}

function toVerdict(result: AuditResult): Verdict {
  const [, level, rule] = /^(MUST|SHOULD|MAY) (.+)$/.exec(result.name) ?? [];
  if (level === undefined || rule === undefined) {
    throw new Error(`This rule has no level: ${result.name}`);
  }
  const failure = result.status === 'ok' ? null : result.reason;
  return { id: result.id, level: level as Level, rule, failure };
}

export type Audited = { caller: string; verdicts: Verdict[] };

export function failuresOf(audited: readonly Audited[]): string[] {
  return audited.flatMap(({ caller, verdicts }) =>
    verdicts.flatMap(({ id, level, rule, failure }) =>
      failure === null ? [] : [`${caller}: ${id} ${level} ${rule}: ${failure}`],
    ),
  );
}

/** A table with the number of passed and of all rules per level, a row for each setting. */
export function summarize(audited: readonly Audited[]): string[][] {
  return audited.map(({ caller, verdicts }) => [
    caller,
    ...levels.map((level) => {
      const ofLevel = verdicts.filter((verdict) => verdict.level === level);
      const kept = ofLevel.filter(({ failure }) => failure === null);
      return `${kept.length} of ${ofLevel.length}`;
    }),
  ]);
}

/** Every rule with the result of each setting, and the sums. */
export function renderTable(audited: readonly Audited[]): string {
  const callers = audited.map(({ caller }) => caller);
  const rules = (audited[0]?.verdicts ?? []).map(({ id, level, rule }, at) => [
    id,
    level,
    ...audited.map(({ verdicts }) => (verdicts[at]?.failure === null ? 'kept' : 'BROKEN')),
    rule,
  ]);
  return [
    ...align([['id', 'level', ...callers, 'rule'], ...rules]),
    '',
    ...align([['', ...levels], ...summarize(audited)]),
    ...failuresOf(audited),
    '',
  ].join('\n');
}

function align(rows: readonly string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, at) =>
    Math.max(...rows.map((row) => row[at]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
