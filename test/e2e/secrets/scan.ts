export type Secret = {
  name: string;
  value: string;
};

/** Shorter pieces also occur in unrelated texts. */
const shortestNeedle = 8;

const known = new Map<string, Map<string, string>>();

/** The encodings in which a text can contain a secret, as needles for a plain search. */
export function spellingsOf(value: string): Map<string, string> {
  const spellings = known.get(value) ?? spell(value);
  known.set(value, spellings);
  return spellings;
}

function spell(value: string): Map<string, string> {
  const bytes = Buffer.from(value);
  const encoded = encodeURIComponent(value);
  const all: [string, string][] = [
    ['clear', value],
    ['JSON', JSON.stringify(value).slice(1, -1)],
    ['JSON within JSON', JSON.stringify(JSON.stringify(value)).slice(3, -3)],
    ['URL-encoded', encoded],
    ['URL-encoded in small letters', encoded.replace(/%\w\w/g, (each) => each.toLowerCase())],
    ['hex', bytes.toString('hex')],
    ['HEX', bytes.toString('hex').toUpperCase()],
    // The Base64 of a longer text depends on the offset of the secret in it.
    ...[0, 1, 2].flatMap((offset): [string, string][] => [
      [`base64, ${offset} bytes in`, alignedBase64(bytes, offset)],
      [`base64url, ${offset} bytes in`, toBase64Url(alignedBase64(bytes, offset))],
    ]),
  ];
  return new Map(all.filter(([, needle]) => needle.length >= shortestNeedle));
}

/** The characters that do not depend on the neighbouring text. */
function alignedBase64(bytes: Buffer, offset: number): string {
  const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
  const isWhole = (offset + bytes.length) % 3 === 0;
  return text.slice(offset === 0 ? 0 : offset + 1).replace(isWhole ? '' : /.=+$/, '');
}

function toBase64Url(text: string): string {
  return text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** The secrets in the text, with their encoding. */
export function findSecrets(text: string, secrets: readonly Secret[]): string[] {
  return secrets.flatMap(({ name, value }) =>
    [...spellingsOf(value)]
      .filter(([, needle]) => text.includes(needle))
      .map(([spelling]) => `${name}, ${spelling}`),
  );
}
