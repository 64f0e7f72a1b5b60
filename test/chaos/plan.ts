import fc from 'fast-check';
import { type Point, points } from './points.ts';

export type Request = {
  /** Its index in the plan; with the seed it is the idempotency key. */
  number: number;
  /** Contains phrases of the sandbox that control the job and its callbacks. */
  text: string;
  /** The index of the source video, modulo their number. */
  video: number;
  transport: 'websocket' | 'event-stream';
};

/** One run of the process: its requests, and the point at which it is killed. */
export type Life = { point: Point; nth: number; requests: Request[] };

/** Phrases whose job is created and ends, while its answer or callbacks fail. */
const kindly = [
  ...Array<string>(6).fill(''),
  '[[cut]] ',
  '[[hang]] ',
  '[[no-id]] ',
  '[[doubled]] ',
  '[[no-callback]] ',
  '[[early]] ',
  '[[forged]] ',
  '[[reordered]] ',
  '[[failed]] ',
  '[[moderated]] ',
];

/** No job is created, which the server cannot know: the lip-sync ends with OUTCOME_UNKNOWN. */
const lost = ['[[cut-early]] ', '[[500]] '];

/** The minimum number of times that one lip-sync passes the step. */
const mostNth = (point: Point, asked: number) => (point.name === 'notified' ? 3 * asked : asked);

/**
 * The same for the same seed: each point `kills` times in any order, and `lipsyncs` requests spread over these runs.
 */
export function makePlan(options: { seed: number; lipsyncs: number; kills: number }): Life[] {
  const { seed, lipsyncs, kills } = options;
  const wanted = points.flatMap((point) => Array<Point>(kills).fill(point));
  if (lipsyncs < wanted.length) {
    throw new Error(`${wanted.length} lives need as many lip-syncs or more, not ${lipsyncs}.`);
  }
  const exactly = (length: number) => ({ minLength: length, maxLength: length });
  const [drawn] = fc.sample(
    fc.record({
      order: fc.shuffledSubarray(wanted, exactly(wanted.length)),
      hits: fc.array(fc.nat(), exactly(wanted.length)),
      traits: fc.array(
        fc.record({
          kindly: fc.constantFrom(...kindly),
          any: fc.constantFrom(...kindly, ...lost),
          video: fc.nat(1_000),
          transport: fc.constantFrom('websocket' as const, 'event-stream' as const),
        }),
        exactly(lipsyncs),
      ),
    }),
    { seed, numRuns: 1 },
  );
  if (drawn === undefined) throw new Error('Nothing was drawn.');
  const lives = drawn.order.map((point): Life => ({ point, nth: 1, requests: [] }));
  for (const [number, traits] of drawn.traits.entries()) {
    const life = lives[number % lives.length];
    // The first request of a run passes every point.
    const phrase = life?.requests.length === 0 ? traits.kindly : traits.any;
    const { video, transport } = traits;
    life?.requests.push({ number, text: `${phrase}Lip-sync ${number}`, video, transport });
  }
  for (const [at, life] of lives.entries()) {
    const sure = life.requests.filter(({ text }) => !lost.some((phrase) => text.includes(phrase)));
    life.nth = 1 + ((drawn.hits[at] ?? 0) % mostNth(life.point, sure.length));
  }
  return lives;
}

/** A replacement for a run that was not killed, with one more lip-sync. */
export function spareLife(point: Point, number: number): Life {
  const text = `Lip-sync ${number}`;
  return { point, nth: 1, requests: [{ number, text, video: number, transport: 'websocket' }] };
}
