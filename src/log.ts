import pino, { type DestinationStream, type Logger } from 'pino';
import { describeError } from './log/describe-error.ts';
import { createLineLimiter, type Timer } from './log/line-limiter.ts';

export type Log = Logger;

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/**
 * A field that is not written. Its text names the owner, or another cause, whose share of the lines of the message this
 * line uses.
 */
export const lineShare = Symbol('share of the lines of a message');

/** Lines of one message and share in a minute. The first sixty of a fault show as much as all of them. */
const maxProblemLines = 60;

/** The same for `info` and below: 20 requests a second, at most 400 MB a day for a share. `/metrics` counts every request. */
const maxOtherLines = 1_200;

const warnLevel = pino.levels.values.warn ?? 40;

/**
 * JSON lines on stdout: `{"level":"info","time":"2026-01-01T00:00:00.000Z","msg":…}`. Lines contain nothing that a caller
 * wrote: `err` is reduced to what is safe, and all other fields are codes, ids and numbers. Each message has a limit per
 * minute, which the values of `lineShare` share, and after the minute one line reports how many were suppressed.
 */
export function createLog(
  level: LogLevel,
  destination?: DestinationStream,
  options: { timer?: Timer } = {},
): Log {
  const limiter = createLineLimiter({
    timer: options.timer,
    report: (kind, suppressed) => {
      const [label = 'info', message] = splitKind(kind);
      const write = log[label as Exclude<LogLevel, 'silent'>] ?? log.info;
      write.call(log, { suppressed, of: message }, suppressedMessage);
    },
  });
  const log: Log = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: (thrown: unknown) => describeError(thrown) },
      hooks: {
        logMethod(args, method, number) {
          const [fields, message] = fieldsAndMessage(args);
          const max = number >= warnLevel ? maxProblemLines : maxOtherLines;
          const isAdmitted =
            message === suppressedMessage ||
            limiter.admit(
              { kind: `${pino.levels.labels[number]} ${message}`, share: shareOf(fields) },
              max,
            );
          if (isAdmitted) method.apply(this, [fields, message]);
        },
      },
    },
    destination ?? pino.destination(1),
  );
  limiters.set(log, limiter);
  return log;
}

const limiters = new WeakMap<Log, ReturnType<typeof createLineLimiter>>();

/** Reports the lines that were suppressed until now: when the process stops, their minute does not end any more. */
export function reportSuppressedLines(log: Log): void {
  limiters.get(log)?.reportAll();
}

function shareOf(fields: { [lineShare]?: string }): string {
  return fields[lineShare] ?? '';
}

const suppressedMessage = 'log lines were suppressed';

function splitKind(kind: string): [label: string | undefined, message: string] {
  const end = kind.indexOf(' ');
  return end < 0 ? [undefined, kind] : [kind.slice(0, end), kind.slice(end + 1)];
}

/** Without a message of ours pino would use the message of the error, which can quote a caller. */
function fieldsAndMessage([first, second]: readonly unknown[]): [fields: object, message: string] {
  if (typeof first === 'string') return [{}, first];
  const fields = first instanceof Error ? { err: first } : (first as object);
  return [fields, typeof second === 'string' ? second : 'a problem without a description'];
}
