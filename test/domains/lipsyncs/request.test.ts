import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../../../src/database/connect.ts';
import {
  apiKeys,
  idOf,
  type LipsyncApp,
  signInAs,
  startLipsyncApp,
} from '../../support/lipsync-app.ts';
import { withHeaders } from '../../support/lipsyncs.ts';
import { downloadVideo, uploadFile } from '../../support/uploads.ts';
import { wavHeader } from '../../support/wav.ts';

let app: LipsyncApp;
let video: string;
const statements: string[] = [];
/** Records the statements of reads, outside transactions. */
const record = (db: Database): Database => ({
  kind: db.kind,
  query: (text, params) => {
    statements.push(text);
    return db.query(text, params);
  },
  transaction: (work) => db.transaction(work),
  listen: db.listen.bind(db),
  ping: db.ping.bind(db),
  countConnections: db.countConnections.bind(db),
  close: db.close.bind(db),
});

const ann = signInAs('ann');
beforeAll(async () => {
  app = await startLipsyncApp({
    wrapDatabase: record,
    env: { API_KEYS: apiKeys('ann', 'bob'), POLL_INTERVAL_MS: '600000' },
  });
  await app.sendFinalCallbacksOnly();
  [video = ''] = await app.listVideoIds(undefined, ann);
});
afterAll(() => app.stop());

const wav = Buffer.concat([wavHeader(16_000), Buffer.alloc(16_000)]);
const uploadAs = (headers: Record<string, string>) =>
  uploadFile(withHeaders(app, headers), 'AUDIO', wav);

const fields = `keepOriginalSound offPeak maxJobs callbackUrl callbackEvents expiresAt
  sourceUpload { id kind } speechUpload { id kind } sourceVideo { id } text`;

const readRequest = async (id: string, headers = ann) =>
  (
    await app.askForData<{ lipsync: object | null }>(
      `query ($id: ID!) { lipsync(id: $id) { ${fields} } }`,
      { id },
      headers,
    )
  ).lipsync;

describe('works', () => {
  it('shows every option of the create request', async () => {
    const speech = await uploadAs(ann);
    const source = await uploadFile(
      withHeaders(app, ann),
      'VIDEO',
      await downloadVideo(withHeaders(app, ann)),
    );
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    const options = {
      keepOriginalSound: true,
      offPeak: true,
      maxJobs: 2,
      callbackUrl: 'https://receiver.example/hook?a=1',
      callbackEvents: ['FINISHED', 'SUBMITTED'],
      expiresAt,
    };
    const id = idOf(
      await app.create(
        { video: { uploadId: source }, speech: { uploadId: speech }, ...options },
        ann,
      ),
    );
    expect(await readRequest(id)).toEqual({
      ...options,
      sourceUpload: { id: source, kind: 'VIDEO' },
      speechUpload: { id: speech, kind: 'AUDIO' },
      sourceVideo: null,
      text: null,
    });
  });

  it('shows an omitted option as null, or as its documented default', async () => {
    const id = idOf(await app.create({ video: { videoId: video }, text: 'Plain.' }, ann));
    expect(await readRequest(id)).toEqual({
      keepOriginalSound: null,
      offPeak: false,
      maxJobs: null,
      callbackUrl: null,
      callbackEvents: ['FINISHED'],
      expiresAt: null,
      sourceUpload: null,
      speechUpload: null,
      sourceVideo: { id: video },
      text: 'Plain.',
    });
  });

  it('shows the uploads in the result of createLipsync', async () => {
    const speech = await uploadAs(ann);
    const { createLipsync } = await app.askForData<{ createLipsync: object }>(
      `mutation ($input: CreateLipsyncInput!) { createLipsync(input: $input) {
         ... on CreateLipsyncSuccess { lipsync { speechUpload { id } } } } }`,
      { input: { video: { videoId: video }, speech: { uploadId: speech } } },
      ann,
    );
    expect(createLipsync).toEqual({ lipsync: { speechUpload: { id: speech } } });
  });
});

describe('costs', () => {
  it('reads the uploads of any number of lip-syncs with one statement for each field', async () => {
    const reference = 'with uploads';
    for (let n = 0; n < 6; n += 1) {
      const speech = { uploadId: await uploadAs(ann) };
      idOf(await app.create({ video: { videoId: video }, speech, reference }, ann));
    }
    const countFor = async (first: number) => {
      statements.length = 0;
      type Data = { lipsyncs: { nodes: { speechUpload: { id: string } }[] } };
      const { lipsyncs } = await app.askForData<Data>(
        `query ($first: Int) { lipsyncs(first: $first, filter: { reference: "${reference}" }) {
           nodes { speechUpload { id } sourceUpload { id } events { nodes { sequence } } } } }`,
        { first },
        ann,
      );
      expect(new Set(lipsyncs.nodes.map((each) => each.speechUpload.id)).size).toBe(first);
      return statements.filter((text) => text.includes('from uploads')).length;
    };
    expect(await countFor(1)).toBe(1);
    expect(await countFor(6)).toBe(1);
  });
});

describe('keeps out', () => {
  it('another owner, to whom a lip-sync with its uploads does not exist', async () => {
    const speech = await uploadAs(ann);
    const id = idOf(
      await app.create({ video: { videoId: video }, speech: { uploadId: speech } }, ann),
    );
    expect(await readRequest(id, signInAs('bob'))).toBeNull();
  });
});
