import type { Twists } from './job-effects.ts';

/**
 * A failure a person can ask for by writing `[[name]]` anywhere in the text to be spoken. Phrases
 * concern that one request or job; the account stays healthy. A phrase that refuses or breaks the
 * request does so once per `replyRef`, so that a client which rightly tries again gets through.
 */
export type Phrase = {
  name: string;
  /** One sentence for the documentation. */
  description: string;
  /** No job is made, and this is answered. `busy` and `html` and the like have bodies of their own. */
  refuses?: number | 'account-busy' | 'provider-limit' | 'html' | 'empty' | 'cut';
  /** The job is made, but the answer does not say so. */
  hides?: 'no-id' | 'cut' | 'hang';
  /** The job is made and lives differently. */
  twists?: Twists;
};

export const phrases: readonly Phrase[] = [
  { name: '400', description: 'The request is refused as invalid (400).', refuses: 400 },
  { name: '401', description: 'The API token is refused (401).', refuses: 401 },
  { name: '402', description: 'The useapi.net subscription has expired (402).', refuses: 402 },
  { name: '404', description: 'The source video is not found (404).', refuses: 404 },
  { name: '412', description: 'The account has no credits left (412).', refuses: 412 },
  { name: '422', description: 'The text is refused by the moderator (422).', refuses: 422 },
  {
    name: '429',
    description: 'The account is busy, once (429); the next try gets through.',
    refuses: 'account-busy',
  },
  {
    name: '429-all',
    description: 'All accounts are busy, once (429); the next try gets through.',
    refuses: 429,
  },
  {
    name: '429-provider',
    description: 'PixVerse itself refuses another generation, once (429).',
    refuses: 'provider-limit',
  },
  { name: '596', description: 'The account has a pending error (596).', refuses: 596 },
  { name: '500', description: 'The upstream fails (500) and makes no job.', refuses: 500 },
  { name: '503', description: 'The upstream is unavailable (503) and makes no job.', refuses: 503 },
  {
    name: 'html',
    description: 'The answer is 200 with an HTML page, and no job is made.',
    refuses: 'html',
  },
  {
    name: 'empty',
    description: 'The answer is 200 with an empty body, and no job is made.',
    refuses: 'empty',
  },
  {
    name: 'no-id',
    description: 'The job is made, but the answer is 200 with JSON that lacks its video_id.',
    hides: 'no-id',
  },
  {
    name: 'cut',
    description: 'The job is made, then the connection is cut without an answer.',
    hides: 'cut',
  },
  {
    name: 'cut-early',
    description: 'The connection is cut without an answer, and no job is made.',
    refuses: 'cut',
  },
  { name: 'hang', description: 'The job is made, but no answer ever comes.', hides: 'hang' },
  { name: 'slow', description: 'Generating takes five times as long.', twists: { slowBy: 5 } },
  {
    name: 'moderated',
    description: 'The job is accepted and ends MODERATED; its credits come back.',
    twists: { outcome: 'MODERATED' },
  },
  {
    name: 'failed',
    description: 'The job is accepted and ends FAILED.',
    twists: { outcome: 'FAILED' },
  },
  { name: 'no-callback', description: 'No callback is ever sent.', twists: { callbacks: 'none' } },
  {
    name: 'doubled',
    description: 'Every callback is sent twice at once.',
    twists: { callbacks: 'doubled' },
  },
  {
    name: 'reordered',
    description: 'Callbacks come only at the end, the last one first.',
    twists: { callbacks: 'reordered' },
  },
  {
    name: 'early',
    description: 'A first callback arrives before the request that made the job is answered.',
    twists: { callbacks: 'early' },
  },
  {
    name: 'forged',
    description: 'Callbacks lie: another video id, another url, COMPLETED too early.',
    twists: { callbacks: 'forged' },
  },
  {
    name: 'running-200',
    description: 'Reading the running video answers 200 with a status that is not final.',
    twists: { getOne: '200' },
  },
  {
    name: 'queued-final',
    description: 'While QUEUED the video says that its status is final.',
    twists: { queuedFinal: true },
  },
  {
    name: 'url-early',
    description: 'The video shows a url while it is still running.',
    twists: { urlWhileRunning: true },
  },
  {
    name: 'unknown-status',
    description: 'While generating the video has status 42 and no status name, then it completes.',
    twists: { unknownStatus: true },
  },
  {
    name: 'never',
    description: 'The job stays GENERATING for ever.',
    twists: { endless: true },
  },
];

const byName = new Map(phrases.map((phrase) => [phrase.name, phrase]));
const marker = /\[\[([a-z0-9-]+)\]\]/g;

/** The phrases in a text, in its order, and the text without them. Unknown ones are left to be spoken. */
export function readPhrases(text: string): { found: Phrase[]; spoken: string } {
  const found: Phrase[] = [];
  const rest = text.replace(marker, (whole, name: string) => {
    const phrase = byName.get(name);
    if (!phrase) return whole;
    found.push(phrase);
    return ' ';
  });
  return { found, spoken: rest.replace(/\s+/g, ' ').trim() };
}
