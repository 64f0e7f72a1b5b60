import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeCursor,
  encodeCursor,
  listCursorsOf,
  maxSequence,
} from '../../../../src/domains/lipsyncs/progress/cursor.ts';

const seed = 20_261_107;
const runs = { seed, numRuns: 300 };

/** A list with a sequence for each lip-sync, within the length of a log and beyond it. */
const place = fc.oneof(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: maxSequence }));
const lists = fc
  .uniqueArray(fc.uuid(), { minLength: 1, maxLength: 100 })
  .chain((ids) =>
    fc.tuple(fc.constant(ids), fc.array(place, { minLength: ids.length, maxLength: ids.length })),
  );

const placesOf = (ids: readonly string[], at: readonly number[]) =>
  new Map(ids.map((id, n) => [id, at[n] ?? 0]));

describe('works', () => {
  it('decodes to the encoded sequences, in any order of the ids', () => {
    fc.assert(
      fc.property(lists, fc.nat(), ([ids, at], turn) => {
        const places = placesOf(ids, at);
        const cursor = listCursorsOf(ids).encode(places);
        const turned = ids.map((_, n) => ids[(n + turn) % ids.length] ?? '');
        for (const order of [ids, ids.toReversed(), turned]) {
          expect(listCursorsOf(order).encode(places)).toBe(cursor);
          expect(new Map(listCursorsOf(order).decode(cursor))).toEqual(places);
        }
      }),
      runs,
    );
  });

  it('differs for different sequences', () => {
    fc.assert(
      fc.property(lists, lists, ([ids, at], [, other]) => {
        const [one, two] = [placesOf(ids, at), placesOf(ids, other)];
        const { encode } = listCursorsOf(ids);
        const areSame = ids.every((id) => one.get(id) === two.get(id));
        expect(encode(one) === encode(two)).toBe(areSame);
      }),
      runs,
    );
  });

  it('takes a character and a half per lip-sync, and is valid in a header and as the id of an event', () => {
    fc.assert(
      fc.property(lists, ([ids, at]) => {
        const cursor = listCursorsOf(ids).encode(placesOf(ids, at));
        expect(cursor).toMatch(/^[\w-]+$/);
        expect(cursor.length).toBeLessThanOrEqual(683);
        const usual = listCursorsOf(ids).encode(
          placesOf(
            ids,
            at.map((each) => each % 100),
          ),
        );
        expect(usual.length).toBe(Math.ceil(((12 + ids.length) * 4) / 3));
      }),
      runs,
    );
  });
});

describe('refuses', () => {
  it('the cursor of another list, of a part of the list, and of a longer list', () => {
    fc.assert(
      fc.property(lists, fc.uuid(), ([ids, at], stranger) => {
        const cursor = listCursorsOf(ids).encode(placesOf(ids, at));
        const more = [...ids, stranger];
        const less = ids.slice(1);
        const exchanged = [...less, stranger];
        for (const others of [more, less, exchanged, [stranger], []]) {
          expect(listCursorsOf(others).decode(cursor)).toBeNull();
        }
      }),
      runs,
    );
  });

  it('the cursor of a single lip-sync, and the other way round', () => {
    fc.assert(
      fc.property(fc.uuid(), fc.integer({ min: 1, max: maxSequence }), (id, sequence) => {
        const single = encodeCursor(id, sequence);
        const { encode, decode } = listCursorsOf([id]);
        expect(decode(single)).toBeNull();
        expect(decodeCursor(id, encode(new Map([[id, sequence]])))).toBeNull();
      }),
      runs,
    );
  });

  it('forged cursors: changed, missing or extra bytes, longer encodings and garbage', () => {
    const spoilt = (bytes: Buffer, how: string, at: number) => {
      const middle = at % bytes.length;
      switch (how) {
        case 'cut':
          return bytes.subarray(0, middle);
        case 'grown':
          return Buffer.concat([bytes, Buffer.from([at % 256])]);
        case 'longer':
          // The same number with one superfluous byte.
          return Buffer.concat([
            bytes.subarray(0, -1),
            Buffer.from([(bytes.at(-1) ?? 0) + 128, 0]),
          ]);
        default:
          return Buffer.concat([
            bytes.subarray(0, middle % 12),
            Buffer.from([((bytes[middle % 12] ?? 0) + 1) % 256]),
            bytes.subarray((middle % 12) + 1),
          ]);
      }
    };
    fc.assert(
      fc.property(
        lists,
        fc.constantFrom('cut', 'grown', 'longer', 'changed'),
        fc.nat(1_000),
        ([ids, at], how, where) => {
          const { encode, decode } = listCursorsOf(ids);
          const bytes = Buffer.from(encode(placesOf(ids, at)), 'base64url');
          expect(decode(spoilt(bytes, how, where).toString('base64url'))).toBeNull();
        },
      ),
      runs,
    );
    fc.assert(
      fc.property(lists, fc.string({ unit: 'binary', maxLength: 1_000 }), ([ids, at], text) => {
        const { encode, decode } = listCursorsOf(ids);
        const cursor = encode(placesOf(ids, at));
        for (const rubbish of [text, `${cursor}${text}=`, `${cursor} `, `${text}${cursor}.`]) {
          expect(decode(rubbish)).toBeNull();
        }
      }),
      runs,
    );
  });

  it('a sequence beyond the range of the database', () => {
    const [id] = fc.sample(fc.uuid(), { seed, numRuns: 1 });
    const { encode, decode } = listCursorsOf([id ?? '']);
    const at = (sequence: number) => encode(new Map([[id ?? '', sequence]]));
    expect(decode(at(maxSequence))).not.toBeNull();
    for (const sequence of [maxSequence + 1, 2 ** 34, 2 ** 52]) {
      expect(decode(at(sequence))).toBeNull();
    }
  });
});
