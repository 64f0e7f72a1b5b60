/** The most expensive messages that a client can send over each transport, most of them without a token. */
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { WebSocket } from 'ws';

export type Target = { url: string; token: string };
export type Message = {
  transport: string;
  name: string;
  /** Sends the message, and resolves with what became of it. */
  send: (target: Target) => Promise<string>;
};

const megabyte = 1_000_000;
const zeros = (bytes: number) => `[0${',0'.repeat(bytes / 2 - 1)}]`;
const ids = (bytes: number) => `["x"${',"x"'.repeat(bytes / 4 - 1)}]`;
const nodes = 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }';
const nodesBody = (variables: string) =>
  `{"query":${JSON.stringify(nodes)},"variables":${variables}}`;
const manyIds = nodesBody(`{"ids":${ids(990_000)}}`);
const nestedLists = nodesBody(`{"ids":${'['.repeat(490_000)}${']'.repeat(490_000)}}`);
const nestedObjects = nodesBody(`{"ids":${'{"a":'.repeat(160_000)}0${'}'.repeat(160_000)}}`);
const manyKeys = nodesBody(
  `{"ids":{${Array.from({ length: 90_000 }, (_, n) => `"k${n}":0`).join(',')}}}`,
);
const unknownFields = JSON.stringify({
  query: 'query ($filter: LipsyncFilter) { lipsyncs(filter: $filter) { nodes { id } } }',
  variables: {
    filter: {
      reference: 'x'.repeat(900_000),
      ...Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`field${n}`, 0])),
    },
  },
});
const longText = JSON.stringify({
  query: 'query ($filter: LipsyncFilter) { lipsyncs(filter: $filter) { nodes { id } } }',
  variables: { filter: { reference: '\u00e9'.repeat(490_000) } },
});
const largestDocument = JSON.stringify({
  query: `{ nodes(ids: [${'"x" '.repeat(970)}]) { id } }`,
});
const documentOfFragments = JSON.stringify({
  query: `{ lipsyncs { nodes { ${'...F '.repeat(440)} } } } fragment F on Lipsync { id }`,
});
const documentOfFields = JSON.stringify({
  query: `{ lipsyncs { nodes { ${'id status '.repeat(490)} } } }`,
});
/** Documents whose fields GraphQL's validation compares in pairs, as many as the limits of this server let pass. */
const pairedDocuments = {
  'one field 200 times': `{ ${'viewer { name } '.repeat(200)} }`,
  'one field 70 times': `{ ${'viewer { name } '.repeat(70)} }`,
  'one alias 29 times': `{ ${'a: lipsyncs { nodes { id status } } '.repeat(29)} }`,
  'nested fields 8 times on each level': `{ ${`lipsyncs { nodes { ${'progress { percent } '.repeat(8)} } } `.repeat(8)} }`,
  'one field 100 times in fragments': `{ lipsyncs { nodes { ${everyFragment((n) => `...F${n}`)} } } } ${everyFragment((n) => `fragment F${n} on Lipsync { id }`)}`,
  'one fragment in 70 fields': `{ ${'viewer { ...F } '.repeat(70)} } fragment F on Viewer { ${'name '.repeat(80)} }`,
};

function everyFragment(text: (n: number) => string): string {
  return Array.from({ length: 100 }, (_, n) => text(n)).join(' ');
}

const json = { 'content-type': 'application/json' };

function post(body: string, headers: Record<string, string> = {}) {
  return async ({ url }: Target): Promise<string> => {
    const sent = request(`${url}/graphql`, {
      method: 'POST',
      headers: { ...json, ...headers, 'content-length': Buffer.byteLength(body) },
      agent: false,
    });
    const answer = once(sent, 'response').then(async ([response]) => {
      let text = '';
      for await (const chunk of response) text += chunk;
      return `${response.statusCode} ${codeIn(text)}`;
    });
    sent.on('error', () => undefined);
    sent.end(body);
    return answer.catch((error: Error) => error.message);
  };
}

const codeIn = (text: string) => /"code":"(\w+)"/.exec(text)?.[1] ?? text.slice(0, 40);

function form(fields: Record<string, string>, count = 0) {
  const part = (name: string, value: string) =>
    `--x\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
  const parts = Object.entries(fields).map(([name, value]) => part(name, value));
  return `${parts.join('')}${part('y', '').repeat(count)}--x--\r\n`;
}

const postForm = (body: string, headers: Record<string, string> = {}) =>
  post(body, { 'content-type': 'multipart/form-data; boundary=x', 'x-csrf': '1', ...headers });

/** @param afterSignIn messages that are sent after `connection_ack` */
function webSocket({ first, afterSignIn }: { first?: string; afterSignIn?: string }) {
  return async ({ url, token }: Target): Promise<string> => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    const { promise, resolve } = Promise.withResolvers<string>();
    socket.on('error', () => undefined);
    socket.on('close', (code) => resolve(`closed with ${code}`));
    socket.on('message', (data) => {
      const { type, payload } = JSON.parse(String(data));
      if (type === 'connection_ack' && afterSignIn !== undefined) socket.send(afterSignIn);
      else resolve(type === 'error' ? codeIn(JSON.stringify(payload)) : type);
    });
    await once(socket, 'open');
    const payload = { authorization: `Bearer ${token}` };
    socket.send(first ?? JSON.stringify({ type: 'connection_init', payload }));
    const outcome = await promise;
    socket.terminate();
    return outcome;
  };
}

const subscribe = (payload: string) => `{"id":"1","type":"subscribe","payload":${payload}}`;

/** Requests on connections that close before their answer. */
async function leaveMetrics({ url }: Target): Promise<string> {
  const { hostname, port, host } = new URL(url);
  await Promise.all(
    Array.from({ length: 200 }, async () => {
      const socket = connect(Number(port), hostname);
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      const head = `GET /metrics HTTP/1.1\r\nhost: ${host}\r\n\r\n`;
      // Reset before the head is written, the socket would keep this process busy for ever.
      await new Promise<void>((resolve) => socket.write(head, () => resolve()));
      socket.resetAndDestroy();
    }),
  );
  return 'not read';
}

const getIds = ({ url }: Target) =>
  fetch(
    `${url}/graphql?${new URLSearchParams({ query: nodes, variables: `{"ids":${ids(4_000)}}` })}`,
    { headers: { accept: 'application/json' } },
  ).then(async (response) => `${response.status} ${codeIn(await response.text())}`);

/** Needs no token. */
const getPage = ({ url }: Target) =>
  fetch(`${url}/graphql`, { headers: { accept: 'text/html' } }).then(
    async (response) => `${response.status} ${(await response.text()).length} characters`,
  );

const sse = { accept: 'text/event-stream' };

/** Each document over each transport. The verdict on a document is kept, so every request has another comment. */
function pairedMessages(name: string, query: string): Message[] {
  let sent = 0;
  const body = () => {
    sent += 1;
    return JSON.stringify({ query: `${query} # ${sent}` });
  };
  return [
    { transport: 'POST', name, send: (target) => post(body())(target) },
    { transport: 'event stream by POST', name, send: (target) => post(body(), sse)(target) },
    {
      transport: 'GET',
      name,
      send: ({ url }) =>
        fetch(`${url}/graphql?${new URLSearchParams(JSON.parse(body()))}`, {
          headers: { accept: 'application/json' },
        }).then(async (response) => `${response.status} ${codeIn(await response.text())}`),
    },
    {
      transport: 'WebSocket',
      name,
      send: (target) => webSocket({ afterSignIn: subscribe(body()) })(target),
    },
  ];
}

export const messages: Message[] = [
  {
    transport: 'WebSocket',
    name: '2 MB ping before connection_init',
    send: webSocket({ first: `{"type":"ping","payload":{"a":${zeros(1_990_000)}}}` }),
  },
  {
    transport: 'WebSocket',
    name: '2 MB connection_init',
    send: webSocket({ first: `{"type":"connection_init","payload":{"a":${zeros(1_990_000)}}}` }),
  },
  {
    transport: 'WebSocket',
    name: '2 MB ping after connection_ack',
    send: webSocket({ afterSignIn: `{"type":"ping","payload":{"a":${zeros(1_990_000)}}}` }),
  },
  {
    transport: 'WebSocket',
    name: '1 MB of ids',
    send: webSocket({ afterSignIn: subscribe(manyIds) }),
  },
  {
    transport: 'WebSocket',
    name: '2 MB of ids',
    send: webSocket({ afterSignIn: subscribe(nodesBody(`{"ids":${ids(1_980_000)}}`)) }),
  },
  {
    transport: 'WebSocket',
    name: '1 MB of nested lists',
    send: webSocket({ afterSignIn: subscribe(nestedLists) }),
  },
  {
    transport: 'WebSocket',
    name: '60 unknown fields beside 0.9 MB',
    send: webSocket({ afterSignIn: subscribe(unknownFields) }),
  },
  { transport: 'POST', name: '1 MB of ids', send: post(manyIds) },
  { transport: 'POST', name: '1 MB of nested lists', send: post(nestedLists) },
  { transport: 'POST', name: '1 MB of nested objects', send: post(nestedObjects) },
  { transport: 'POST', name: '1 MB of object fields', send: post(manyKeys) },
  { transport: 'POST', name: '60 unknown fields beside 0.9 MB', send: post(unknownFields) },
  { transport: 'POST', name: '1 MB of text', send: post(longText) },
  { transport: 'POST', name: 'document with 970 ids', send: post(largestDocument) },
  { transport: 'POST', name: 'document with 440 fragments', send: post(documentOfFragments) },
  { transport: 'POST', name: 'document with 980 fields', send: post(documentOfFields) },
  ...Object.entries(pairedDocuments).flatMap(([name, query]) => pairedMessages(name, query)),
  { transport: 'POST', name: '30 MB', send: post('x'.repeat(30 * megabyte)) },
  { transport: 'event stream by POST', name: '1 MB of ids', send: post(manyIds, sse) },
  { transport: 'GET', name: '4 kB of ids', send: getIds },
  { transport: 'GET', name: 'GraphiQL', send: getPage },
  {
    transport: 'multipart',
    name: '1 MB of ids',
    send: postForm(form({ operations: nodesBody(`{"ids":${ids(980_000)}}`), map: '{}' })),
  },
  {
    transport: 'multipart',
    name: '1 MB of map entries',
    send: postForm(
      form({
        operations: nodesBody('{"ids":[]}'),
        map: `{"0":[${'"variables.ids.0",'.repeat(50_000)}"variables.ids.0"]}`,
      }),
    ),
  },
  {
    transport: 'multipart',
    name: '1 MB of empty fields',
    send: postForm(form({ operations: nodesBody('{"ids":[]}'), map: '{}' }, 18_000)),
  },
  { transport: '/metrics', name: '200 requests that are not read', send: leaveMetrics },
];
