import { createGraphQLClient } from '../../support/graphql-client.ts';
import { given, type SecretsSetup } from './program-with-secrets.ts';

/** An answer with the caller that received it. */
export type RecordedAnswer = { caller: string; what: string; text: string };

const plainFailure = `__typename ... on LipsyncError { code message retryable retryAfterSeconds }`;

const failure = `__typename ... on LipsyncError { code message retryable retryAfterSeconds }
  ... on InvalidInputError { issues { path message } }`;

export const documents = {
  create: `mutation ($input: CreateLipsyncInput!) { createLipsync(input: $input) { ${failure}
    ... on CreateLipsyncSuccess { lipsync { id status reference text sourceVideo { id url prompt } } }
    ... on OutcomeUnknownError { lipsync { id status } } } }`,
  watch: `subscription ($id: ID!) { lipsyncProgress(id: $id) { ${failure}
    ... on LipsyncProgress { cursor sequence status percent lipsync { id result { id url } failure { message } } } } }`,
  createUpload: `mutation { createUpload(input: { kind: AUDIO, contentType: "audio/wav", filename: "speech.wav" }) {
    ${failure} ... on CreateUploadSuccess { uploadUrl upload { id status } } } }`,
  importUpload: `mutation ($input: ImportUploadInput!) { importUpload(input: $input) {
    ${failure} ... on ImportUploadSuccess { upload { id status } } } }`,
  uploads: `query ($id: ID!) { upload(id: $id) { id status filename failure { message } } }`,
  rotate: `mutation { rotateWebhookSecret { __typename ... on LipsyncError { code message } ... on RotateWebhookSecretSuccess { secret key { hint } } } }`,
  accounts: `{ accounts { ${plainFailure} ... on AccountList { nodes { id email isPaused pausedBy } } } }`,
  reconnect: `mutation ($input: ReconnectAccountInput!) { reconnectAccount(input: $input) { ${failure}
    ... on ReconnectAccountSuccess { account { id email } } } }`,
  deleteVideo: `mutation ($id: ID!) { deleteVideo(input: { id: $id }) { ${failure} ... on DeleteVideoSuccess { deletedVideoId } } }`,
  reads: `query ($id: ID!) {
    viewer { name scopes webhookKeys { hint } }
    voices { ${failure} ... on VoiceList { nodes { id name previewUrl } } }
    videos(first: 100) { ${failure} ... on VideoConnection { nodes { id url prompt status } pageInfo { endCursor } } }
    lipsyncs(first: 100) { nodes { id status reference text failure { code message } creditsCharged
      sourceVideo { id url posterUrl } result { id url } voice { id }
      events(first: 100) { nodes { cursor status source } } webhookDeliveries { id url status lastProblem } } }
    node(id: $id) { id __typename }
    accounts { ${plainFailure} ... on AccountList { nodes { id } } }
  }`,
};

export const bearer = (token: string) => `Bearer ${token}`;
export const writer = bearer(given.writerKey);
export const admin = bearer(given.adminKey);

// biome-ignore lint/suspicious/noExplicitAny: each step knows the shape of its answer.
type Data = any;

/** A caller of the program that records every answer on every transport. */
export class Session {
  readonly setup: SecretsSetup;
  readonly answers: RecordedAnswer[] = [];
  readonly #client: ReturnType<typeof createGraphQLClient>;

  constructor(setup: SecretsSetup) {
    this.setup = setup;
    this.#client = createGraphQLClient(setup.url);
  }

  /** Sends an operation by POST and returns its `data`. */
  async ask(caller: string | null, query: string, variables: object = {}): Promise<Data> {
    const text = await this.send(caller, '/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables }),
    });
    // An invalid document would test nothing.
    if (text.includes('GRAPHQL_')) throw new Error(text);
    return (JSON.parse(text) as Data).data;
  }

  /** Sends any request and returns the body of the answer. */
  async send(caller: string | null, path: string, init: RequestInit = {}): Promise<string> {
    const url = URL.canParse(path) ? path : `${this.setup.url}${path}`;
    const response = await fetch(url, {
      ...init,
      headers: { ...init.headers, ...(caller === null ? {} : { authorization: caller }) },
    });
    const text = await response.text();
    const headers = JSON.stringify([...response.headers]);
    this.answers.push({
      caller: caller ?? 'anonymous',
      what: `${init.method ?? 'GET'} ${path}`,
      text: headers + text,
    });
    return text;
  }

  /** Reads a subscription to its end, over WebSocket, as server-sent events and as a multipart stream. */
  async watch(caller: string, id: string): Promise<string[]> {
    const options = { headers: { authorization: caller } };
    const overSocket = Array.fromAsync(this.#client.watchWs(documents.watch, { id }, options));
    const asEvents = Array.fromAsync(this.#client.watchSse(documents.watch, { id }, options));
    const asParts = this.send(caller, '/graphql', {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'multipart/mixed;subscriptionSpec=1.0',
      },
      body: JSON.stringify({ query: documents.watch, variables: { id } }),
    });
    const texts = (await Promise.all([overSocket, asEvents]))
      .flat()
      .map((each) => JSON.stringify(each));
    for (const all of [texts.join(), await asParts]) {
      if (!all.includes('"COMPLETED"')) throw new Error(`It did not end: ${all}`);
    }
    this.answers.push(...texts.map((text) => ({ caller, what: 'a subscription', text })));
    return texts;
  }

  /** Calls a tool and returns the text of the answer. */
  callTool(caller: string | null, name: string, input: object): Promise<string> {
    return this.send(caller, '/mcp', {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      },
      body: JSON.stringify({
        ...{ jsonrpc: '2.0', id: 1, method: 'tools/call' },
        params: { name, arguments: input },
      }),
    });
  }

  /** Sends an operation over WebSocket and records its result or its error. */
  async trySocket(connectionParams: Record<string, string>, query: string): Promise<void> {
    const { authorization = '' } = connectionParams;
    try {
      const results = this.#client.watchWs(query, {}, { headers: { authorization } });
      for await (const each of results) {
        this.answers.push({
          caller: authorization,
          what: 'a WebSocket',
          text: JSON.stringify(each),
        });
      }
    } catch (error) {
      this.answers.push({ caller: authorization, what: 'a WebSocket', text: String(error) });
    }
  }

  async createLipsync(caller: string, more: object): Promise<Data> {
    const input = { speech: { script: { text: given.text } }, whenBusy: 'FAIL', ...more };
    return (await this.ask(caller, documents.create, { input }))?.createLipsync;
  }
}
