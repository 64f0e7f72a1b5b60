import { createHmac, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import type { Caller } from '../graphql/context.ts';
import { ReservedStream } from './reserved-stream.ts';

/** Of one owner: a client opens the stream that it uses. */
const mostUnopened = 10;

/** A client uses its stream right behind the reservation, and whoever comes later reserves another one. */
const mostIdleMs = 60_000;

/**
 * Tokens that say whose they are, under a secret of this process: its streams end with it. To give one out takes no
 * memory, however many are asked for; a stream is made when it is used first, and ends with its connection.
 *
 * @param streams `make` tells graphql-sse of a stream, `leave` ends it there.
 */
export function createReservations(streams: {
  make: (token: string) => Promise<void>;
  leave: (token: string) => Promise<void>;
}) {
  const secret = randomBytes(32);
  const known = new Map<string, { stream: ReservedStream; owner: string; made: Promise<void> }>();
  /** When each ended, for as long as its token says by itself that there may be a stream. */
  const ended = new Map<string, number>();
  const macOf = (owner: string, name: string) =>
    createHmac('sha256', secret).update(`${name}.${owner}`).digest('base64url');

  function end(token: string): void {
    known.get(token)?.stream.end();
    known.delete(token);
    for (const [each, at] of ended) if (isIdle(at)) ended.delete(each);
    ended.set(token, performance.now());
  }

  /** The oldest of its owner that were never opened make room: nobody would ever read what lies in them. */
  async function leaveUnopened(owner: string): Promise<void> {
    const unopened = [...known].filter(([, each]) => each.owner === owner && !each.stream.isOpen);
    for (const [token] of unopened.slice(0, Math.max(0, unopened.length - mostUnopened))) {
      end(token);
      await streams.leave(token);
    }
  }

  return {
    sign({ owner }: Caller): string {
      const name = `${Math.floor(performance.now())}-${randomUUID()}`;
      return `${name}.${macOf(owner, name)}`;
    },
    isOf({ owner }: Caller, token: string): boolean {
      const [name = ''] = token.split('.');
      const genuine = Buffer.from(`${name}.${macOf(owner, name)}`);
      const given = Buffer.from(token);
      return given.length === genuine.length && timingSafeEqual(given, genuine);
    },
    find: (token: string): ReservedStream | undefined => known.get(token)?.stream,
    /** The stream under a token of this owner, which is there from now on; null where it has ended, or comes too late. */
    async use(token: string, owner: string): Promise<ReservedStream | null> {
      const found = known.get(token);
      const isOver = ended.has(token) || isIdle(Number(token.split('-')[0]));
      if (found === undefined && isOver) return null;
      const used = found ?? { stream: new ReservedStream(), owner, made: streams.make(token) };
      if (found === undefined) {
        known.set(token, used);
        await leaveUnopened(owner);
      }
      await used.made;
      return used.stream;
    },
    end,
  };
}

function isIdle(since: number): boolean {
  return performance.now() - since > mostIdleMs;
}
