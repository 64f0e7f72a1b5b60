import type { IncomingHttpHeaders } from 'node:http';

/** What an operation can be answered as: a result, or a stream of events. */
const answers = ['application/json', 'application/graphql-response+json', 'text/event-stream'];

/**
 * An `Accept` header with the most wanted first and without what is not wanted: Yoga goes by the order and looks at no
 * `q`. Undefined where nothing is left.
 */
export function byPreference(accept: string): string | undefined {
  const ranges = accept.split(',').map((range) => {
    const parts = range.split(';').map((part) => part.trim().replaceAll('"', ''));
    const weight = parts.find((part) => /^q=/i.test(part));
    const quality = Number(weight?.slice(2) ?? 1);
    const named = parts.filter((part) => part !== weight).join(';');
    return { named, quality: Number.isNaN(quality) ? 1 : quality };
  });
  const wanted = ranges.filter(({ named, quality }) => named !== '' && quality > 0);
  const sorted = wanted.toSorted((one, other) => other.quality - one.quality);
  return sorted.length === 0 ? undefined : sorted.map(({ named }) => named).join(', ');
}

/** Whether any answer to an operation would be taken. It is asked before anything runs, and may cost. */
export function takesAnswer({ accept = '*/*' }: IncomingHttpHeaders): boolean {
  return accept.split(',').some((range) => {
    const [type = ''] = range.split(';');
    return answers.some((answer) => matches(answer, type.trim().toLowerCase()));
  });
}

function matches(type: string, range: string): boolean {
  if (range === '*/*' || range === type) return true;
  return range.endsWith('/*') && type.startsWith(range.slice(0, -1));
}

/** JSON is UTF-8: read as anything else a text would be spoken wrong, and paid for. */
export function isInOtherCharset({ 'content-type': type = '' }: IncomingHttpHeaders): boolean {
  const [, charset = 'utf-8'] = /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(type) ?? [];
  return !/^(utf-?8|us-ascii)$/i.test(charset);
}
