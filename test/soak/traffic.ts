import fc from 'fast-check';
import type { GraphQLClient } from '../support/graphql-client.ts';
import { wavHeader } from '../support/wav.ts';

/** What a client asks for and how it behaves. */
export type Plan = {
  /** A phrase of the sandbox, without brackets; '' for none. */
  fault: string;
  speech: 'text' | 'upload' | 'multipart';
  transport: 'websocket' | 'event-stream';
  /** The stream is cut after this many events and resumed, again and again; 0 = never. */
  cutAfter: number;
  hasWebhook: boolean;
};

const faults = [
  ...Array<string>(8).fill(''),
  ...['cut', 'hang', 'no-id', 'doubled', 'no-callback', 'early', 'forged', 'reordered'],
  ...['failed', 'moderated', '422', 'cut-early', '503'],
];

/** The same for the same seed. */
export function makePlans(seed: number, count: number): Plan[] {
  return fc.sample(
    fc.record<Plan>({
      fault: fc.constantFrom(...faults),
      speech: fc.constantFrom('text', 'text', 'upload', 'multipart'),
      transport: fc.constantFrom('websocket', 'event-stream'),
      cutAfter: fc.nat(2),
      hasWebhook: fc.boolean(),
    }),
    { seed, numRuns: count },
  );
}

export type Ended = {
  plan: Plan;
  /** Null: refused by a typed error, so that no lip-sync exists. */
  id: string | null;
  /** The statuses of the terminal events that the client saw. */
  ends: string[];
  resumes: number;
  /** Broken promises. */
  broken: string[];
};

export type Server = { url: string; client: GraphQLClient; videoIds: string[]; webhookUrl: string };

const terminal = ['COMPLETED', 'FAILED', 'MODERATED', 'CANCELLED', 'EXPIRED'];

/** Asks for one lip-sync and follows it to its end, as its plan says. */
export async function runPlan(server: Server, plan: Plan, number: number): Promise<Ended> {
  const ended: Ended = { plan, id: null, ends: [], resumes: 0, broken: [] };
  const speech = await makeSpeech(server, plan, number);
  const input = {
    video: { videoId: server.videoIds[number % server.videoIds.length] },
    speech,
    idempotencyKey: `soak ${number}`,
    ...(plan.hasWebhook ? { callbackUrl: server.webhookUrl } : {}),
  };
  const { data, errors } = await server.client.ask<{
    createLipsync: { code?: string; lipsync?: { id: string } };
  }>(
    `mutation ($input: CreateLipsyncInput!) { createLipsync(input: $input) {
       ... on CreateLipsyncSuccess { lipsync { id } } ... on OutcomeUnknownError { lipsync { id } }
       ... on LipsyncError { code } } }`,
    { input },
  );
  ended.id = data?.createLipsync.lipsync?.id ?? null;
  if (errors !== undefined) ended.broken.push(`errors: ${JSON.stringify(errors)}`);
  if (ended.id !== null) await follow(server, ended, ended.id);
  return ended;
}

async function makeSpeech(server: Server, plan: Plan, number: number): Promise<object> {
  if (plan.speech === 'text' || plan.fault !== '') {
    return { script: { text: `${plan.fault === '' ? '' : `[[${plan.fault}]] `}Number ${number}` } };
  }
  const wav = new Uint8Array(Buffer.concat([wavHeader(8_000), Buffer.alloc(8_000)]));
  if (plan.speech === 'multipart') return { uploadId: await uploadByMultipart(server, wav) };
  const { data } = await server.client.ask<{
    createUpload: { upload: { id: string }; uploadUrl: string };
  }>(
    `mutation { createUpload(input: { kind: AUDIO, contentType: "audio/wav" }) {
       ... on CreateUploadSuccess { upload { id } uploadUrl } } }`,
  );
  if (data == null) throw new Error('No upload was created.');
  const sent = await fetch(data.createUpload.uploadUrl, { method: 'PUT', body: wav });
  if (!sent.ok) throw new Error(`The upload was answered ${sent.status}.`);
  return { uploadId: data.createUpload.upload.id };
}

async function uploadByMultipart({ url }: Server, wav: Uint8Array<ArrayBuffer>): Promise<string> {
  const form = new FormData();
  const query =
    'mutation ($file: File!) { uploadAudio(file: $file) { ... on UploadAudioSuccess { upload { id } } } }';
  form.set('operations', JSON.stringify({ query, variables: { file: null } }));
  form.set('map', '{ "0": ["variables.file"] }');
  form.set('0', new File([wav], 'a.wav', { type: 'audio/wav' }));
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'graphql-require-preflight': '1' },
    body: form,
  });
  const text = await response.text();
  const body = JSON.parse(text) as { data?: { uploadAudio?: { upload?: { id: string } } } };
  const id = body.data?.uploadAudio?.upload?.id;
  if (id === undefined) throw new Error(`The multipart upload was answered ${text}.`);
  return id;
}

type Progress = {
  cursor: string;
  sequence: number;
  status: string;
  failure: { code: string } | null;
};

/** Every event once and in order over all connections, and the last of them terminal. */
async function follow(server: Server, ended: Ended, id: string): Promise<void> {
  const { plan } = ended;
  let after: string | undefined;
  let last = 0;
  const take = ({ cursor, sequence, status }: Progress) => {
    if (last > 0 && sequence !== last + 1) ended.broken.push(`gap: ${sequence} after ${last}`);
    last = sequence;
    after = cursor;
    if (terminal.includes(status)) ended.ends.push(status);
  };
  while (ended.ends.length === 0) {
    let seen = 0;
    for await (const progress of open(server, plan, { id, after })) {
      take(progress);
      seen += 1;
      if (plan.cutAfter > 0 && seen >= plan.cutAfter && ended.ends.length === 0) break;
    }
    if (ended.ends.length === 0) ended.resumes += 1;
  }
  if (ended.ends.length > 1) ended.broken.push(`it ended ${ended.ends.length} times`);
}

async function* open(
  { client }: Server,
  { transport }: Plan,
  variables: object,
): AsyncGenerator<Progress> {
  const query = `subscription ($id: ID!, $after: String) { lipsyncProgress(id: $id, after: $after) {
    ... on LipsyncProgress { cursor sequence status failure { code } } ... on LipsyncError { code } } }`;
  type Data = { lipsyncProgress: Progress };
  if (transport === 'websocket') {
    for await (const { data } of client.watchWs<Data>(query, { ...variables })) {
      if (data != null) yield data.lipsyncProgress;
    }
    return;
  }
  for await (const { data } of client.watchSse<Data>(query, { ...variables })) {
    if (data.data != null) yield data.data.lipsyncProgress;
  }
}
