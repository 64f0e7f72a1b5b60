import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { findChanges, findUnnamed } from './changes.ts';
import { findBrokenPromises, findUndated } from './deprecations.ts';

const run = promisify(execFile);
const sdl = await readFile('schema.graphql', 'utf8');
const silent =
  '# Changelog\n\n## Unreleased\n\n### Changed\n\n- Much.\n\n## 0.1.0\n\n- `Query.voice`\n';

const previewUrl = /"""[^"]*"""\s+previewUrl: URL\n/;

/** The schema with replaced text; each text to replace must occur. */
function plant(...changes: [string | RegExp, string][]): string {
  return changes.reduce((text, [from, to]) => {
    const planted = text.replace(from, to);
    expect(planted, String(from)).not.toBe(text);
    return planted;
  }, sdl);
}

/** The schema with a deprecated field. */
function deprecate(reason: string | null): string {
  const directive =
    reason === null ? '@deprecated' : `@deprecated(reason: ${JSON.stringify(reason)})`;
  return plant(['previewUrl: URL\n', `previewUrl: URL ${directive}\n`]);
}

describe('works', () => {
  test('an equal schema has no changes', async () => {
    expect(await findChanges(sdl, sdl)).toEqual([]);
  });

  test('a description, a new field and a new type are compatible, however many', async () => {
    const planted = plant(
      ['A voice that can speak the text of a lip-sync.', 'Other words.'],
      [/(type Voice implements[^{]*\{)/, '$1 planted: Planted'],
      [/$/, 'type Planted { field: Int }'],
    );
    const findings = await findChanges(sdl, planted);
    expect(findings.map(({ level }) => level)).not.toContain('breaking');
    expect(findings).toContainEqual(
      expect.objectContaining({ level: 'compatible', path: 'Voice.planted' }),
    );
    expect(findUnnamed(findings, silent)).toEqual([]);
  });

  test('a new member of a union is dangerous: clients may have no branch for it', async () => {
    const planted = plant(['union VoicesResult = ', 'union VoicesResult = Upload | ']);
    const findings = await findChanges(sdl, planted);
    expect(findings).toEqual([
      {
        level: 'dangerous',
        path: 'VoicesResult',
        message: "Member 'Upload' was added to Union type 'VoicesResult'",
      },
    ]);
    expect(findUnnamed(findings, silent)).toEqual([]);
  });

  test('a new value of an enum is dangerous, and so is another default', async () => {
    const planted = plant(
      [/(enum UploadKind \{)/, '$1 PLANTED'],
      ['whenBusy: LipsyncBusyPolicy = QUEUE', 'whenBusy: LipsyncBusyPolicy = FAIL'],
    );
    const findings = await findChanges(sdl, planted);
    expect(findings.map(({ level, path }) => `${level} ${path}`).toSorted()).toEqual([
      'dangerous CreateLipsyncInput.whenBusy',
      'dangerous UploadKind.PLANTED',
    ]);
  });

  test('a deprecation with a last day and a replacement is compatible', async () => {
    const planted = deprecate('Until 2027-06-30: use `preview`.');
    expect(findUndated(planted)).toEqual([]);
    const findings = await findChanges(sdl, planted);
    expect(new Set(findings.map(({ level }) => level))).toEqual(new Set(['compatible']));
  });

  test('a deprecated field can be removed after its last day', () => {
    const released = deprecate('Until 2027-06-30: use `preview`.');
    const gone = plant([previewUrl, '']);
    expect(findBrokenPromises(released, gone, '2027-07-01')).toEqual([]);
    expect(findBrokenPromises(released, sdl, '2027-01-01')).toEqual([]);
  });

  test('the committed schema is compatible with the last release, or the changelog names each breaking change', async () => {
    await expect(run(process.execPath, ['test/release/diff.ts'])).resolves.toMatchObject({
      stderr: '',
    });
  });
});

describe('refuses', () => {
  test.each<[string, string, [string | RegExp, string]]>([
    ['a field that is gone', 'Voice.previewUrl', [previewUrl, '']],
    [
      'a value that is gone',
      'UploadStatus.EXPIRED',
      [/"""[^"]*"""\s+EXPIRED\n(?=[^}]*RECEIVING)/, ''],
    ],
    [
      'a field that may be null now',
      'Lipsync.status',
      ['status: LipsyncStatus!', 'status: LipsyncStatus'],
    ],
    [
      'an argument that must be given',
      'Query.voices.planted',
      ['voices: VoicesResult!', 'voices(planted: Int!): VoicesResult!'],
    ],
    [
      'a member of a union that is gone',
      'VoicesResult',
      ['union VoicesResult = AccountPendingError | ', 'union VoicesResult = '],
    ],
    [
      'an interface that a type has no longer',
      'Voice',
      ['type Voice implements Node @key', 'type Voice @key'],
    ],
    [
      'an argument of another type',
      'Subscription.lipsyncProgress.after',
      [/(lipsyncProgress\([^)]*after: )String/, '$1Int'],
    ],
    [
      'a field of an input that must be given',
      'CreateUploadInput.filename',
      ['filename: String\n', 'filename: String!\n'],
    ],
    [
      'an entity that is known by something else',
      'Video.@key.fields',
      [/(type Video implements Node @key\(fields: "id)/, '$1 url'],
    ],
    [
      'an entity that no gateway may resolve',
      'Video.@key.resolvable',
      [/(type Video implements Node @key\(fields: "id")/, '$1, resolvable: false'],
    ],
    [
      'a field that another subgraph may no longer have',
      'PageInfo.@shareable',
      ['type PageInfo @shareable', 'type PageInfo'],
    ],
    [
      'a field that clients of the graph do not see any more',
      'Query.viewer.@inaccessible',
      ['viewer: Viewer!', 'viewer: Viewer! @inaccessible'],
    ],
    ['an entity that is none', 'Video.@key', [/(type Video implements Node) @key\([^)]*\)/, '$1']],
    [
      'an input of which one field is left to give',
      'CancelLipsyncInput.@oneOf',
      ['input CancelLipsyncInput {', 'input CancelLipsyncInput @oneOf {'],
    ],
  ])('%s, unless the changelog names it', async (_, path, change) => {
    const findings = await findChanges(sdl, plant(change));
    const unnamed = findUnnamed(findings, silent).map((finding) => finding.path);
    expect([...new Set(unnamed)]).toEqual([path]);
    const named = silent.replace('Much.', `\`${path}\` is not what it was.`);
    expect(findUnnamed(findings, named)).toEqual([]);
  });

  test.each([
    ['no reason', null],
    ['no day', 'Use `preview`.'],
    ['a day that does not exist', 'Until 2027-02-30: use `preview`.'],
    ['another form of day', 'Until June 2027: use `preview`.'],
    ['a day somewhere else', 'Use `preview` from 2027-06-30 on.'],
    ['nothing to use instead', 'Until 2027-06-30: '],
  ])('what is deprecated with %s', (_, reason) => {
    expect(findUndated(deprecate(reason))).toEqual(['Voice.previewUrl']);
  });

  test.each<[string, string, [string | RegExp, string]]>([
    ['an argument', 'Query.voice.id', [/(voice\(\s+"""[^"]*"""\s+id: ID!)/, '$1 @deprecated']],
    ['a value', 'UploadKind.AUDIO', [/^( {2}AUDIO)$/m, '$1 @deprecated']],
    [
      'a field of an input',
      'CreateUploadInput.filename',
      ['filename: String\n', 'filename: String @deprecated\n'],
    ],
  ])('%s that is deprecated without a day', (_, path, change) => {
    expect(findUndated(plant(change))).toEqual([path]);
  });

  test('the removal of a field before its last day, even when the changelog names it', () => {
    const released = deprecate('Until 2027-06-30: use `preview`.');
    const gone = plant([previewUrl, '']);
    expect(findBrokenPromises(released, gone, '2027-06-30')).toEqual(['Voice.previewUrl']);
  });

  type Files = { released?: string; current: string };

  /** `npm run diff` on other files. */
  async function runDiff({ released, current }: Files): Promise<unknown> {
    const folder = await mkdtemp(join(tmpdir(), 'lipsync-release-'));
    try {
      await mkdir(join(folder, 'docs'));
      const committed = await readFile('docs/released.graphql', 'utf8');
      await writeFile(join(folder, 'docs/released.graphql'), released ?? committed);
      await cp('CHANGELOG.md', join(folder, 'CHANGELOG.md'));
      await writeFile(join(folder, 'schema.graphql'), current);
      return await run(process.execPath, [join(process.cwd(), 'test/release/diff.ts')], {
        cwd: folder,
      }).catch((failure: unknown) => failure);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  test('a breaking change with exit code 1, and prints the line that the changelog needs', async () => {
    expect(await runDiff({ current: plant([previewUrl, '']) })).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^breaking +Voice\.previewUrl: /m),
      stderr: expect.stringContaining('CHANGELOG.md does not name what breaks: `Voice.previewUrl`'),
    });
  });

  test('a deprecation without a last day with exit code 1', async () => {
    expect(await runDiff({ current: deprecate('Use `preview`.') })).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^The reason is not like "Until .*: `Voice\.previewUrl`$/m),
    });
  });

  test('an early removal with exit code 1', async () => {
    const released = deprecate('Until 9999-12-31: use `preview`.');
    expect(await runDiff({ released, current: plant([previewUrl, '']) })).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^Promised for longer than today: `Voice\.previewUrl`$/m),
    });
  });
});
