export type Block = {
  /** The first word after the fence: `graphql`, `json`, `sh`. */
  language: string;
  /** The rest of that line: `variables`, `answer`. */
  role: string;
  text: string;
  line: number;
};

export type Page = {
  blocks: Block[];
  /** The anchors that GitHub generates for headings. */
  anchors: Set<string>;
  headings: string[];
  /** Targets of links and pictures, as written. */
  links: string[];
  /** The texts between single backticks. */
  spans: string[];
  /** The cells of each table row, with the head and without the rule. */
  rows: string[][];
};

const fenced = /^```(\w*) ?(.*)\n((?:.*\n)*?)```$/gm;

/** Parses the parts of Markdown that our pages use: fenced blocks, ATX headings, inline links and pipe tables. */
export function readMarkdown(text: string): Page {
  const blocks = [...text.matchAll(fenced)].map(
    ({ 1: language = '', 2: role = '', 3: inside = '', index }): Block => ({
      language,
      role,
      text: inside,
      line: text.slice(0, index).split('\n').length,
    }),
  );
  const rest = text.replace(fenced, '');
  const prose = rest.split('\n');
  if (rest.includes('```')) throw new Error('A block has no end, or begins inside a line.');
  const headings = prose.flatMap((line) => /^#+ (.+)$/.exec(line)?.[1] ?? []);
  return {
    blocks,
    headings,
    anchors: new Set(headings.map(toAnchor)),
    links: [...rest.matchAll(/\]\(([^)]+)\)/g)].flatMap(([, target]) => target ?? []),
    spans: [...rest.matchAll(/`([^`]+)`/g)].flatMap(([, span]) => span?.replace('\n', ' ') ?? []),
    rows: prose.filter((line) => /^\|.*\|$/.test(line) && !/^[|\s:-]+$/.test(line)).map(toCells),
  };
}

function toAnchor(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

function toCells(row: string): string[] {
  return row
    .slice(1, -1)
    .split('|')
    .map((cell) => cell.trim());
}
