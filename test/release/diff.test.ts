import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { findChanges, findUnnamed } from './changes.ts';

const run = promisify(execFile);
const sdl = await readFile('schema.graphql', 'utf8');
const silent =
  '# Changelog\n\n## Unreleased\n\n### Changed\n\n- Much.\n\n## 0.1.0\n\n- `Query.voice`\n';

/** The schema as it would be with some of its text changed; each text must be there. */
function plant(...changes: [string | RegExp, string][]): string {
  return changes.reduce((text, [from, to]) => {
    const planted = text.replace(from, to);
    expect(planted, String(from)).not.toBe(text);
    return planted;
  }, sdl);
}

describe('works', () => {
  test('what is the same has no changes', async () => {
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

  test('the committed schema breaks nobody who uses the last release, or the changelog says so', async () => {
    await expect(run(process.execPath, ['test/release/diff.ts'])).resolves.toMatchObject({
      stderr: '',
    });
  });
});

describe('refuses', () => {
  test.each<[string, string, [string | RegExp, string]]>([
    ['a field that is gone', 'Voice.previewUrl', [/"""[^"]*"""\s+previewUrl: String\n/, '']],
    [
      'a value that is gone',
      'UploadState.EXPIRED',
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
    ['an entity that is none', 'Video.@key', [/(type Video implements Node) @key\([^)]*\)/, '$1']],
    [
      'an input of which one field is left to give',
      'CancelLipsyncInput.@oneOf',
      ['input CancelLipsyncInput {', 'input CancelLipsyncInput @oneOf {'],
    ],
  ])('%s, unless the changelog names it', async (_, path, change) => {
    const findings = await findChanges(sdl, plant(change));
    expect(findUnnamed(findings, silent).map((finding) => finding.path)).toEqual([path]);
    const named = silent.replace('Much.', `\`${path}\` is not what it was.`);
    expect(findUnnamed(findings, named)).toEqual([]);
  });

  test('a planted change with exit code 1, and says what to write where', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lipsync-release-'));
    try {
      await cp('docs/released.graphql', join(folder, 'docs/released.graphql'));
      await cp('CHANGELOG.md', join(folder, 'CHANGELOG.md'));
      const planted = plant([/"""[^"]*"""\s+previewUrl: String\n/, '']);
      await writeFile(join(folder, 'schema.graphql'), planted);
      const failed = run(process.execPath, [join(process.cwd(), 'test/release/diff.ts')], {
        cwd: folder,
      });
      await expect(failed).rejects.toMatchObject({
        code: 1,
        stdout: expect.stringMatching(/^breaking +Voice\.previewUrl: /m),
        stderr: expect.stringContaining(
          'CHANGELOG.md does not name what breaks: `Voice.previewUrl`',
        ),
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
