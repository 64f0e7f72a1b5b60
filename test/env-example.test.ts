import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { describe, expect, test } from 'vitest';
import { variableNames } from '../src/config/variables.ts';
import { readConfig } from '../src/config.ts';

describe('.env.example', () => {
  const text = readFileSync(new URL('../.env.example', import.meta.url), 'utf8');
  const shown = parseEnv(text.replace(/^#(?=[A-Z_]+=)/gm, ''));

  test('contains exactly the variables that are read', () => {
    const read = new Set<string>();
    const env = new Proxy({}, { get: (_, name) => void read.add(String(name)) });
    readConfig(env);
    expect(Object.keys(shown).sort()).toEqual([...read].sort());
    expect([...variableNames].sort()).toEqual([...read].sort());
  });

  test('shows the defaults, and sets nothing if it is copied unchanged', () => {
    expect(readConfig({ ...shown })).toEqual(readConfig({}));
    expect(parseEnv(text)).toEqual({});
  });

  test('shows the value of each fixed default', () => {
    const unset = Object.keys(shown).filter((name) => !shown[name]);
    const defaulted = ['PORT', 'HOST', 'DATA_DIR', 'USEAPI_BASE_URL', 'QUEUE_LIMIT', 'LOG_LEVEL'];
    expect(unset.filter((name) => /_MS$|_DAYS$/.test(name) || defaulted.includes(name))).toEqual(
      [],
    );
  });

  test('describes each variable in a sentence', () => {
    const lines = text.split('\n');
    const bare = lines.filter(
      (line, index) => /^#[A-Z_]+=/.test(line) && !/^# \S.*\.$/.test(lines[index - 1] ?? ''),
    );
    expect(bare).toEqual([]);
  });
});
