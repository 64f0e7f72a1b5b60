/** From the least to the most severe. `skipped`: could not be examined, for a reason that is not a fault. */
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

/** What can be wrong. The names are permanent: docs/operations.md lists them for scripts. */
export const problems = [
  'configuration-invalid',
  'data-dir-not-writable',
  'disk-low',
  'database-unreachable',
  'database-damaged',
  'data-dir-in-use',
  'migrations-pending',
  'migrations-unknown',
  'migrations-newer',
  'server-not-ready',
  'port-taken',
  'public-url-loopback',
  'public-url-unreachable',
  'public-url-redirects',
  'public-url-unknown-host',
  'public-url-elsewhere',
  'upstream-unreachable',
  'upstream-token-rejected',
  'upstream-subscription-expired',
  'upstream-failing',
  'no-accounts',
  'account-pending-error',
  'account-without-credits',
  'account-paused',
  'clock-skew',
  'lipsyncs-waiting',
  'lipsyncs-outcome-unknown',
  'lipsyncs-running-long',
  'sandbox-status-differs',
  'sandbox-shape-differs',
] as const;

export type Problem = (typeof problems)[number];

export type Finding = {
  area: Area;
  severity: Severity;
  /** Null if nothing is wrong. */
  problem: Problem | null;
  /** Contains no secret, no e-mail address and no value of a variable. */
  message: string;
  /** What the operator can do. Null if nothing is wrong. */
  advice: string | null;
};

export function inOrder(area: Area, message: string): Finding {
  return { area, severity: 'ok', problem: null, message, advice: null };
}

export function skipped(area: Area, message: string, advice: string | null = null): Finding {
  return { area, severity: 'skipped', problem: null, message, advice };
}

export function warning(area: Area, problem: Problem, text: Text): Finding {
  return { area, severity: 'warning', problem, ...text };
}

export function error(area: Area, problem: Problem, text: Text): Finding {
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
