import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { describe, expect, test } from 'vitest';
import { readConfig, variableNames } from '../src/config.ts';

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

  test('contains the defaults as comments, so that a copy sets nothing', () => {
    expect(readConfig({ ...shown })).toEqual(readConfig({}));
    expect(parseEnv(text)).toEqual({});
  });

  test('contains the default of each variable that has one', () => {
    const unset = Object.keys(shown).filter((name) => !shown[name]);
    const defaulted = ['PORT', 'HOST', 'DATA_DIR', 'USEAPI_BASE_URL', 'QUEUE_LIMIT', 'LOG_LEVEL'];
    expect(unset.filter((name) => /_MS$|_DAYS$/.test(name) || defaulted.includes(name))).toEqual(
      [],
    );
  });

  test('explains each variable in a sentence', () => {
    const lines = text.split('\n');
    const bare = lines.filter(
      (line, index) => /^#[A-Z_]+=/.test(line) && !/^# \S.*\.$/.test(lines[index - 1] ?? ''),
    );
    expect(bare).toEqual([]);
  });
});
