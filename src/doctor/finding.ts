/** From the least to the most severe. `skipped`: could not be examined, for a reason that is no fault. */
export type Severity = 'ok' | 'skipped' | 'warning' | 'error';

export type Area =
  | 'configuration'
  | 'disk'
  | 'database'
  | 'migrations'
  | 'server'
  | 'public-url'
  | 'upstream'
  | 'clock'
  | 'accounts'
  | 'lipsyncs'
  | 'probe';

export type Finding = {
  area: Area;
  severity: Severity;
  /** Permanent, in kebab case, for scripts: `database-unreachable`. Null for what is in order. */
  problem: string | null;
  /** Holds no secret, no e-mail address and no value of a variable. */
  message: string;
  /** What the operator can do. Null for what is in order. */
  advice: string | null;
};

export function inOrder(area: Area, message: string): Finding {
  return { area, severity: 'ok', problem: null, message, advice: null };
}

export function skipped(area: Area, message: string, advice: string | null = null): Finding {
  return { area, severity: 'skipped', problem: null, message, advice };
}

export function warning(area: Area, problem: string, text: Text): Finding {
  return { area, severity: 'warning', problem, ...text };
}

export function error(area: Area, problem: string, text: Text): Finding {
  return { area, severity: 'error', problem, ...text };
}

type Text = { message: string; advice: string };

/** 0 without a problem, 1 with warnings, 2 with errors. */
export function exitCodeOf(findings: readonly Finding[]): 0 | 1 | 2 {
  if (findings.some(({ severity }) => severity === 'error')) return 2;
  return findings.some(({ severity }) => severity === 'warning') ? 1 : 0;
}

const marks: Record<Severity, string> = { ok: '✓', skipped: '–', warning: '!', error: '✗' };

/** One paragraph for each finding. */
export function formatFinding({ area, severity, message, advice }: Finding): string {
  const label = severity === 'ok' || severity === 'skipped' ? '' : `${severity}: `;
  const first = `${marks[severity]} ${area.padEnd(13)} ${label}${message}`;
  return advice === null ? first : `${first}\n${' '.repeat(16)}→ ${advice}`;
}

/** Such as `3 hours`: an age is shown in its largest unit. */
export function formatAge(ms: number): string {
  const units: [string, number][] = [
    ['day', 86_400_000],
    ['hour', 3_600_000],
    ['minute', 60_000],
    ['second', 1_000],
  ];
  const [unit, size] = units.find(([, each]) => ms >= each) ?? ['second', 1_000];
  const count = Math.max(0, Math.floor(ms / size));
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}
