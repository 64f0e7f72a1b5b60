import pino, { type DestinationStream, type Logger } from 'pino';

export type Log = Logger;

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/**
 * Logs only safe fields of an error. Others can contain data of callers: a database error quotes every column of the
 * rejected row in `detail`.
 */
function serializeError(thrown: unknown) {
  if (!(thrown instanceof Error)) return typeof thrown;
  const { type, message, stack, code } = pino.stdSerializers.err(thrown);
  return { type, message, stack, ...(code === undefined ? {} : { code }) };
}

/** JSON lines on stdout: `{"level":"info","time":"2026-01-01T00:00:00.000Z","msg":…}`. */
export function createLog(level: LogLevel, destination?: DestinationStream): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: serializeError },
    },
    destination ?? pino.destination(1),
  );
}
