import fc from 'fast-check';
import {
  type GraphQLInputType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
} from 'graphql';
import { phrases } from '../../src/sandbox/faults/phrases.ts';
import type { Draw } from './draw.ts';

/** The name of an enum value, which only a document can contain; other values are JSON. */
export class EnumName {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  toJSON(): string {
    return this.name;
  }
}

const text = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 210 }),
);

/** Values that often cause defects. */
export const nasty: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    '',
    '\0',
    'a\0b',
    '\ud800',
    'ﷺ'.repeat(300),
    'a'.repeat(5_000),
    '__proto__',
    'constructor',
    "'; drop table lipsyncs; --",
    '%00',
    '../../etc/passwd',
    '{{7*7}}',
    -1,
    0,
    2 ** 31,
    -(2 ** 31) - 1,
    2 ** 53,
    1e308,
    0.1,
    '1e400',
    '99999999999999999999999999',
    '-0',
    'NaN',
    '9999-12-31T23:59:59.999Z',
    '+275760-09-13T00:00:00.000Z',
    '0000-01-01T00:00:00Z',
    '2026-02-30T00:00:00Z',
    [],
    [[[[]]]],
    {},
    { length: -1 },
    { toString: 'x' },
    true,
  ),
  fc.jsonValue({ maxDepth: 3 }),
  text,
);

/** Keys and references that two parts of the program could read as one, or as none. */
export const oddKeys: readonly string[] = [
  'é',
  'e\u0301',
  'ｋｅｙ',
  'key\u200b',
  'key\u0000',
  '\u202eyek',
  '\ud83d',
  '👩‍👩‍👧‍👦',
  'İ',
  ' key ',
  '\t\r\n',
  'key\u2028',
  '\ufeffkey',
  '𝔎'.repeat(255),
  'x'.repeat(256),
];

/** Addresses of this machine, of networks and of nothing, in the spellings of browsers, shells and resolvers. */
export const addresses: readonly string[] = [
  'http://127.0.0.1:9/hook',
  'http://[::1]/',
  'http://[::ffff:7f00:1]:9/',
  'http://[fe80::1%25eth0]/',
  'http://2130706433:9/',
  'http://0x7f.1:9/',
  'http://0177.0.0.1:9/',
  'http://hook.localhost:9/',
  ' http://127.0.0.1:9/',
  'http:127.0.0.1:9',
  'http:\\\\127.0.0.1:9\\hook',
  'http://127.0.0.1:9/\r\nhost: elsewhere.example',
  'http://127.0.0.1:9/\u0000',
  'http://127.0.0.1:9#@elsewhere.example/',
  'http://user:password@127.0.0.1:9/',
  'http://127.0.0.1:0/',
  'http://127.0.0.1:65536/',
  'http://①②⑦.⓪.⓪.①:9/',
  'http://xn--/',
  'http://ﷺ.example/',
  `http://${'a'.repeat(64)}.invalid/`,
  `http://${'a.'.repeat(127)}invalid/`,
  `http://127.0.0.1:9/${'a'.repeat(3_000)}`,
  'http://169.254.169.254/latest/meta-data/',
  'https://hook.invalid/',
  'https://',
  'file:///etc/passwd',
  'javascript:alert(1)',
  'x',
];

export const contentTypes: readonly string[] = [
  'audio/wav',
  'audio/mpeg',
  'video/mp4',
  'text/plain',
  'AUDIO/WAV; codecs=1',
  'audio/wav, video/mp4',
  'audio/wav\r\nx-y: z',
  'audio/*',
  'multipart/form-data; boundary=x',
  'audio/wav;charset="',
  '/',
  'audio/\u0000',
];

const dates = fc.oneof(
  fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
  fc
    .integer({ min: -1_000, max: 100_000 })
    .map((ms) => new Date(Date.UTC(2026, 0) + ms).toISOString()),
);

/** Phrases that do not pause the account, which would block all later lip-syncs. */
const harmlessPhrases = phrases
  .map(({ phrase }) => phrase)
  .filter((phrase) => !/^(401|402|412|596|hang|429|unavailable)/.test(phrase));

/** Values by the name of the field or argument, where random text would be rejected. */
const byName: Readonly<Record<string, (draw: Draw) => unknown>> = {
  text: (draw) =>
    draw.chance(80) ? `Hello [[${draw.pick(harmlessPhrases)}]] ${draw.nat(99)}` : draw.any(text),
  callbackUrl: (draw) => draw.pick([...addresses, draw.any(text)]),
  idempotencyKey: oddKey,
  reference: oddKey,
  filename: oddKey,
  contentType: (draw) => draw.pick([...contentTypes, draw.any(text)]),
  size: (draw) => draw.pick([16_044, 1, 0, 5 * 1024 ** 3, '44', draw.nat(100_000)]),
  maxJobs: (draw) => draw.pick([1, 3, 8, 0, 9, -1]),
  first: (draw) => draw.pick([1, 2, 20, 100, 101, 0, -1, null]),
  last: (draw) => draw.pick([1, 20, 100, null]),
  after: cursor,
  before: cursor,
  password: (draw) => draw.pick(['the password', '', draw.any(text)]),
};

function oddKey(draw: Draw): unknown {
  return draw.chance(70) ? draw.pick(oddKeys) : draw.any(text);
}

/** Mostly one that another list returned: the pool has the cursors of all lists. */
function cursor(draw: Draw): unknown {
  return draw.chance(70) ? reference(draw, 'Cursor') : draw.any(text);
}

/** The type of an id, by the field or argument that takes it. Others take any type. */
const typeOfId: Readonly<Record<string, string>> = {
  'LipsyncVideoInput.id': 'Video',
  'LipsyncVideoInput.uploadId': 'Upload',
  'LipsyncSpeechInput.uploadId': 'Upload',
  'LipsyncScriptInput.voiceId': 'Voice',
  'CancelLipsyncInput.id': 'Lipsync',
  'DeleteLipsyncInput.id': 'Lipsync',
  'ReconnectAccountInput.accountId': 'Account',
  'RedeliverWebhookInput.id': 'WebhookDelivery',
  'Query.lipsync.id': 'Lipsync',
  'Query.video.id': 'Video',
  'Query.voice.id': 'Voice',
  'Query.upload.id': 'Upload',
  'Subscription.lipsyncProgress.id': 'Lipsync',
  'Subscription.lipsyncsProgress.ids': 'Lipsync',
};

export const idTypes = [
  'Lipsync',
  'Video',
  'Voice',
  'Upload',
  'Account',
  'WebhookDelivery',
] as const;

/** A reference to a value that the server has returned, resolved when the operation is sent: see `pool.ts`. */
export function reference(draw: Draw, type: string): string {
  const spoilt = draw.chance(15) ? `:${draw.nat(9_999)}` : '';
  return `«${type}:${draw.nat(999)}${spoilt}»`;
}

/** @param coordinate of the argument or input field in the schema, such as `LipsyncVideoInput.id` or `Query.video.id` */
function valueOfId(draw: Draw, coordinate: string): unknown {
  // Most deletions name a missing video, because a deleted source cannot be used again.
  if (coordinate === 'DeleteVideoInput.id') {
    return draw.chance(3) ? reference(draw, 'Video') : reference(draw, 'Lipsync');
  }
  if (draw.chance(15)) return draw.any(nasty);
  return reference(draw, typeOfId[coordinate] ?? draw.pick(idTypes));
}

const scalars: Readonly<Record<string, (draw: Draw) => unknown>> = {
  Int: (draw) => draw.any(fc.integer()),
  Float: (draw) => draw.any(fc.double({ noNaN: true, noDefaultInfinity: true })),
  Boolean: (draw) => draw.chance(50),
  String: (draw) => draw.any(text),
  SafeInt: (draw) => draw.any(fc.oneof(fc.maxSafeInteger(), fc.bigInt().map(String))),
  DateTime: (draw) => draw.any(dates),
};

/** A value of the type, mostly valid. */
export function makeValue(draw: Draw, type: GraphQLInputType, coordinate: string): unknown {
  if (draw.chance(2)) return draw.any(nasty);
  if (isNonNullType(type)) return makeValue(draw, type.ofType, coordinate);
  if (draw.chance(3)) return null;
  if (isListType(type)) {
    return Array.from({ length: draw.nat(3) }, () => makeValue(draw, type.ofType, coordinate));
  }
  if (isEnumType(type)) return new EnumName(draw.pick(type.getValues()).name);
  if (isInputObjectType(type)) {
    const all = Object.values(type.getFields());
    const count = draw.chance(95) ? 1 : 2;
    const chosen = type.isOneOf
      ? Array.from({ length: count }, () => draw.pick(all))
      : all.filter((field) => isNonNullType(field.type) || draw.chance(35));
    return Object.fromEntries(
      chosen.map((field) => [
        field.name,
        makeValue(draw, field.type, `${type.name}.${field.name}`),
      ]),
    );
  }
  return scalarOf(draw, type.name, coordinate);
}

function scalarOf(draw: Draw, scalar: string, coordinate: string): unknown {
  const special = byName[coordinate.split('.').at(-1) ?? ''];
  if (special !== undefined && draw.chance(85)) return special(draw);
  if (scalar === 'ID') return valueOfId(draw, coordinate);
  return (scalars[scalar] ?? ((other) => other.any(nasty)))(draw);
}
