import type { Part } from '../../src/server/parts.ts';

/**
 * The parts of a `multipart/mixed` answer as they come, each held to what it says of itself.
 *
 * @throws where it is none, or ends without its last boundary
 */
export async function* readParts(response: Response): AsyncGenerator<Part, void> {
  let last = '';
  for await (const part of split(response)) {
    last = part;
    if (part.startsWith('--')) return;
    if (part !== '') yield parse(part);
  }
  throw new Error(`It ended without its last boundary, behind: ${last}`);
}

/** What stands between the boundaries, as soon as the one behind it has come; behind the last one are two dashes. */
async function* split({ headers, body }: Response): AsyncGenerator<string, void> {
  const type = headers.get('content-type') ?? '';
  const [, boundary] = /^multipart\/mixed; ?boundary="([^"]+)"/.exec(type) ?? [];
  if (boundary === undefined || body === null) throw new Error(`This has no parts: ${type}`);
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split(`\r\n--${boundary}`);
    rest = parts.pop() ?? '';
    yield* parts;
  }
  yield rest;
}

function parse(part: string): Part {
  const [head = '', text = ''] = part.trimStart().split('\r\n\r\n');
  const [, length] = /^content-length: (\d+)$/im.exec(head) ?? [];
  const isJson = /^content-type: application\/json/im.test(head);
  if (!isJson || Buffer.byteLength(text) !== Number(length)) {
    throw new Error(`This part is not what it says: ${part}`);
  }
  return JSON.parse(text) as Part;
}
