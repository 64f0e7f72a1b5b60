import { idTypes } from './values.ts';

const mostOfEach = 300;

/** Ids, cursors and upload URLs that the server has returned. Operations refer to them as `«Type:number»`. */
export class Pool {
  readonly #kept = new Map<string, string[]>();
  readonly uploadUrls: string[] = [];

  /** Collects ids, cursors and URLs from an answer. */
  learn(text: string): void {
    for (const [, id = ''] of text.matchAll(/"(?:id|[a-zA-Z]*Id|a\d+)":"([\w-]{8,})"/g)) {
      const [type = ''] = Buffer.from(id, 'base64url').toString('latin1').split(':');
      if (idTypes.some((each) => each === type)) this.#keep(type, id);
    }
    for (const [, cursor = ''] of text.matchAll(/"(?:cursor|startCursor|endCursor)":"([^"]+)"/g)) {
      this.#keep('Cursor', cursor);
    }
    for (const [, url = ''] of text.matchAll(
      /"(?:uploadUrl|a\d+)":"(http[^"]+\/uploads\/[^"]+)"/g,
    )) {
      this.uploadUrls.push(url);
    }
  }

  /** Replaces references by values. */
  fill(text: string): string {
    return text.replace(/«[\w:]+»/g, (name) => {
      const [type = '', number, spoilt] = name.slice(1, -1).split(':');
      const kept = this.#kept.get(type) ?? [];
      const value = kept[Number(number) % Math.max(1, kept.length)] ?? `no-${type}-yet`;
      return spoilt === undefined ? value : spoil(value, Number(spoilt));
    });
  }

  get sizes(): Record<string, number> {
    return Object.fromEntries([...this.#kept].map(([type, { length }]) => [type, length]));
  }

  #keep(type: string, value: string): void {
    const kept = this.#kept.get(type) ?? [];
    this.#kept.set(type, kept);
    if (kept.includes(value)) return;
    if (kept.length < mostOfEach) kept.push(value);
    // The oldest are dropped: most of their objects have been deleted.
    else kept.splice(kept.length % 7, 1, value);
  }
}

/** Changes one character, truncates, or doubles the text. */
export function spoil(value: string, how: number): string {
  const at = how % Math.max(1, value.length);
  const other = 'AZaz09-_.=%'[how % 11] ?? 'A';
  const ways = [
    value.slice(0, at) + other + value.slice(at + 1),
    value.slice(0, at),
    value + other,
    value + value,
  ];
  return ways[how % ways.length] ?? value;
}
