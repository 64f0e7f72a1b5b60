/** What a log line has of an error. */
export type ErrorDescription = {
  type: string;
  message?: string;
  stack?: string;
  cause?: ErrorDescription;
  errors?: ErrorDescription[];
  [field: string]: unknown;
};

const maxFrames = 15;
const maxDepth = 3;

/**
 * Describes an error without anything that a caller wrote: by its type, code, position and stack frames. Messages can
 * quote a caller's values: those of GraphQL ("got invalid value"), of PostgreSQL ("invalid input syntax"), of JSON.parse,
 * of zod, of Node ("getaddrinfo ENOTFOUND example.com") and of V8 itself. So a message is logged only if its kind is known
 * to be safe, see `hasSafeMessage`. Nothing is copied by default: database errors have rows in `detail`, and statements
 * and parameters in other fields.
 */
export function describeError(thrown: unknown, depth = 1): ErrorDescription {
  if (!(thrown instanceof Error)) return describeOther(thrown);
  const frames = framesOf(thrown);
  const { cause, errors } = thrown as { cause?: unknown; errors?: unknown };
  const isNested = depth < maxDepth;
  return {
    type: nameOf(thrown),
    ...(hasSafeMessage(thrown, frames) ? { message: thrown.message } : {}),
    ...safeFields(thrown),
    ...(frames.length === 0 ? {} : { stack: frames.join('\n') }),
    ...(cause instanceof Error && isNested ? { cause: describeError(cause, depth + 1) } : {}),
    ...(Array.isArray(errors) && isNested
      ? { errors: errors.slice(0, maxDepth).map((each) => describeError(each, depth + 1)) }
      : {}),
  };
}

/** A failure of the product is an object with a code, and everything else that was thrown could be any value. */
function describeOther(thrown: unknown): ErrorDescription {
  if (typeof thrown !== 'object' || thrown === null) return { type: typeof thrown };
  return { type: nameOf(thrown), ...pick(thrown, ['code']) };
}

/**
 * PostgreSQL's states whose messages quote at most names of our own tables, columns and constraints: 23 integrity (the
 * row is in `detail`), 25, 40, 53, 55 and 57 for transactions, resources and shutdown, and unknown or forbidden names.
 */
const safeStates = /^(?:(?:23|25|40|53|55|57)\w{3}|42501|42703|42883|42P01)$/;

function hasSafeMessage(error: Error, frames: string[]): boolean {
  const { code, severity, thrownValue } = error as unknown as Record<string, unknown>;
  if (typeof severity === 'string') return typeof code === 'string' && safeStates.test(code);
  // Created with `new Error()` by this server and not by a library: those texts contain no values. Other classes are not
  // safe, because V8's TypeErrors and the errors of zod and Node can have their first frame in our code too.
  const isPlain = Object.getPrototypeOf(error) === Error.prototype;
  const isOwn = frames[0] !== undefined && !/node_modules|\bnode:/.test(frames[0]);
  return isPlain && isOwn && code === undefined && thrownValue === undefined;
}

/** The fields of errors of Node, PostgreSQL and GraphQL that are names, codes and numbers. */
function safeFields(error: Error): Record<string, unknown> {
  const { extensions, locations, originalError } = error as {
    extensions?: unknown;
    locations?: unknown;
    originalError?: unknown;
  };
  return {
    ...(typeof extensions === 'object' && extensions !== null ? pick(extensions, ['code']) : {}),
    ...pick(error, ['code', 'syscall', 'severity', 'constraint', 'table', 'column', 'routine']),
    // Lines and columns in the document.
    ...(Array.isArray(locations) ? { locations } : {}),
    ...(originalError instanceof Error ? { cause: describeError(originalError, maxDepth) } : {}),
  };
}

/** Fields whose values look like a name or a code. */
function pick(from: object, names: readonly string[]): Record<string, unknown> {
  const found = names.map((name) => [name, (from as Record<string, unknown>)[name]] as const);
  return Object.fromEntries(
    found.filter(([, value]) =>
      typeof value === 'string' ? /^[\w.-]{1,63}$/.test(value) : typeof value === 'number',
    ),
  );
}

function nameOf(value: object): string {
  const { name } = value.constructor ?? {};
  return typeof name === 'string' && /^\w{1,63}$/.test(name) ? name : 'unknown';
}

/**
 * The frames of the stack, without the message before them. A message can have lines that look like frames, so it is cut
 * off by its length; without the message at its start, a stack is not usable.
 */
function framesOf({ stack, message }: Error): string[] {
  if (typeof stack !== 'string') return [];
  const start = stack.indexOf(message);
  if (start < 0) return [];
  const lines = stack.slice(start + message.length).split('\n');
  return lines
    .slice(1, 1 + maxFrames)
    .map((line) => line.trim())
    .filter((line) => /^at .*:\d+\)?$|^at .*\(<anonymous>\)$/.test(line));
}
