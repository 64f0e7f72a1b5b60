import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Finding } from '../../src/doctor/finding.ts';
import { probe } from '../../src/doctor/probe.ts';
import { compareShapes, shapeOf } from '../../src/doctor/shapes.ts';
import { type Sandbox, type SandboxOptions, startSandbox } from '../../src/sandbox/sandbox.ts';
import { startFakeUpstream } from '../support/fake-upstream/server.ts';

let dataDir: string;
let sandbox: Sandbox | undefined;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'lipsync-probe-'));
});
afterEach(async () => {
  await sandbox?.close();
  await rm(dataDir, { recursive: true });
});

async function probeSandbox(options: Partial<SandboxOptions>, switches: object = {}) {
  sandbox = await startSandbox({ dataDir, ...options });
  await fetch(`${sandbox.origin}/_sandbox/switches`, {
    method: 'PUT',
    body: JSON.stringify(switches),
  });
  const { baseUrl, token } = sandbox;
  const findings = await probe({ baseUrl, token, timeoutMs: 10_000 });
  const response = await fetch(`${sandbox.origin}/_sandbox/requests`);
  const requests = (await response.json()) as { method: string }[];
  return { findings, requests };
}

const messagesOf = (findings: Finding[], problem: string | null) =>
  findings.filter((each) => each.problem === problem).map(({ message }) => message);

describe('probe', () => {
  test('finds no difference between two sandboxes of one profile, by GET alone', async () => {
    const { findings, requests } = await probeSandbox({});
    expect(findings.filter(({ problem }) => problem !== null)).toEqual([]);
    expect(requests.length).toBeGreaterThan(8);
    expect(requests.filter(({ method }) => method !== 'GET')).toEqual([]);
  });

  test('names each field that the documents of another year lack', async () => {
    const { findings } = await probeSandbox({ profile: '2024-12' });
    expect(messagesOf(findings, 'sandbox-shape-differs')).toEqual(
      expect.arrayContaining([
        'GET /features/: off_peak is absent; the sandbox has number.',
        'GET /videos/: data[].off_peak is absent; the sandbox has number.',
      ]),
    );
  });

  test('names fields that are new, and endpoints that fail', async () => {
    const email = 'studio@sandbox.example';
    const { findings } = await probeSandbox({}, { nextOffset: true, account596: email });
    expect(messagesOf(findings, 'sandbox-shape-differs')).toContain(
      "GET /videos/: has_more (boolean) is not in the sandbox's answer.",
    );
    expect(messagesOf(findings, 'sandbox-status-differs')).toContain(
      'GET /features/: HTTP 596; the sandbox answers 200.',
    );
    expect(messagesOf(findings, null).join('\n')).toContain(
      '596 outside of lip-syncs: GET /features/, HTTP 596 with',
    );
  });

  test('answers what the documents leave open, without an e-mail address', async () => {
    const { findings } = await probeSandbox({});
    const told = messagesOf(findings, null);
    expect(told).toContain('The body of 404: HTTP 404 with error, code, “Video not found”.');
    expect(told.join('\n')).toMatch(/Voices: 14, 1 Emily, 2 James/);
    expect(told.join('\n')).toMatch(/Statuses: 1 = COMPLETED, final/);
    expect(JSON.stringify(findings)).not.toMatch(/sandbox\.example/);
  });

  // The fake shares no line with the sandbox, and chooses otherwise where the documents leave a choice.
  test('answers them of a service that behaves otherwise, which it only reads', async () => {
    const [email, second] = ['studio@example.com', 'second@example.com'] as const;
    const upstream = await startFakeUpstream({
      accounts: [
        { email, maxJobs: 3 },
        { email: second, maxJobs: 2 },
      ],
      ...{ order: 'oldest', hasErrorCode: false, addsFields: true, writesNumbersAsStrings: true },
    });
    try {
      for (const status of [1, 8, 5] as const) upstream.addVideo(email, { status });
      upstream.reply('GET /scheduler/available', {
        status: 596,
        body: '{"error":"Pending error"}',
      });
      const { baseUrl, token } = upstream;
      const findings = await probe({ baseUrl, token, timeoutMs: 10_000 });
      expect(messagesOf(findings, null)).toEqual([
        'The body of 404: HTTP 404 with error, “Video not found.”.',
        'A percent-encoded id: HTTP 400 with error, “Malformed video_id.”.',
        'A missing email: HTTP 400 with error, “Parameter email is required.”.',
        'Voices: 12, 1 Emily, 2 James, 3 Isabella, 4 Liam, 5 Chloe, 6 Adrian, 7 Harper, 8 Ava, 9 Sophia, 10 Julia, 11 Mason, 12 Jack.',
        'Statuses: 1 = COMPLETED, final; 5 = QUEUED, final; 8 = FAILED, final.',
        'lip_sync: object.',
        'replyRef in the list: not seen.',
        'The order of the list: oldest first.',
        '596 outside of lip-syncs: GET /scheduler/available, HTTP 596 with error, “Pending error”.',
        expect.stringMatching(/^Reads do not show the statuses of DELETE/),
      ]);
      expect(messagesOf(findings, 'sandbox-shape-differs')).toEqual(
        expect.arrayContaining([
          'GET /features/: credit_daily is string; the sandbox has number.',
          "GET /videos/: data[].moods (list) is not in the sandbox's answer.",
        ]),
      );
      expect(messagesOf(findings, 'sandbox-status-differs')).toEqual([
        'GET /scheduler/available: HTTP 596; the sandbox answers 200.',
      ]);
      expect(upstream.calls().length).toBeGreaterThan(8);
      expect(upstream.calls().filter((call) => !call.startsWith('GET '))).toEqual([]);
      expect(JSON.stringify(findings)).not.toMatch(/@|user:/);
    } finally {
      await upstream.close();
    }
  });

  test('says that the sandbox has no service to compare with', async () => {
    const [finding] = await probe({ baseUrl: 'https://x.example', token: null, timeoutMs: 1 });
    expect(finding?.severity).toBe('skipped');
  });
});

describe('compareShapes', () => {
  const compare = (real: unknown, expected: unknown) =>
    compareShapes(shapeOf(real), shapeOf(expected));

  test.each([
    { of: 'equal values', real: { a: [1] }, expected: { a: [2, 3] }, found: [] },
    {
      of: 'an absent field',
      real: {},
      expected: { a: 1 },
      found: [{ kind: 'absent', path: 'a', types: ['number'] }],
    },
    {
      of: 'an added object, once',
      real: { a: { b: 1 } },
      expected: {},
      found: [{ kind: 'added', path: 'a', types: ['object'] }],
    },
    {
      of: 'another type',
      real: { a: '1' },
      expected: { a: 1 },
      found: [{ kind: 'type', path: 'a', types: ['string'], expected: ['number'] }],
    },
    {
      of: 'an empty list, which shows nothing of its items',
      real: { a: [] },
      expected: { a: [{ b: 1 }] },
      found: [],
    },
    {
      of: 'keys that are e-mail addresses',
      real: { 'x@y.z': {} },
      expected: { 'p@q.r': {} },
      found: [],
    },
  ])('$of', ({ real, expected, found }) => {
    expect(compare(real, expected)).toEqual(found);
  });
});
