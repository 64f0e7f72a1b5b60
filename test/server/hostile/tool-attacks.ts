import { sendRequest } from '../../support/http.ts';
import type { TransportResult } from '../../support/transports.ts';
import { nested, zeros } from './row.ts';

/** An attack as the arguments of a tool. Raw JSON is for what `JSON.stringify` cannot produce. */
export type ToolArguments = object | string;

export type ToolAttack = {
  tool: string;
  hostile: ToolArguments;
  /** Just below the limit, or corrected: the tool runs. */
  allowed: ToolArguments;
  /** The code of the answer. Null: the tool runs, and answers as for any other value. */
  code: string | null;
};

const list = 'list_lipsyncs';
const byReference = (reference: unknown) => ({ filter: { reference } });

const read = 'get_lipsync';

/**
 * The rows of `values` as calls of tools at `/mcp`, by their names. Agents send values and no documents, so that the other
 * rows have no counterpart.
 */
export const toolAttacks: Record<string, ToolAttack | { cannot: string }> = {
  'variables named __proto__: ignored': {
    tool: list,
    hostile: '{"__proto__":{"admin":true}}',
    allowed: {},
    code: null,
  },
  'an input field named __proto__': {
    tool: list,
    hostile: '{"filter":{"__proto__":{"reference":"x"}}}',
    allowed: byReference('x'),
    code: 'BAD_USER_INPUT',
  },
  'variables nested a thousand levels deep': {
    tool: list,
    hostile: byReference(nested(1_000)),
    allowed: byReference('x'),
    code: 'VALUES_TOO_DEEP',
  },
  'variables nested 21 levels deep': {
    tool: list,
    hostile: { unused: nested(20) },
    allowed: {},
    code: 'VALUES_TOO_DEEP',
  },
  'a list of 2,001 values': {
    tool: list,
    hostile: { filter: { statuses: Array.from({ length: 2_001 }, () => 'QUEUED') } },
    allowed: { filter: { statuses: Array.from({ length: 2_000 }, () => 'QUEUED') } },
    code: 'VALUES_TOO_LARGE',
  },
  '10,001 values in many lists': {
    tool: list,
    hostile: { unused: Array.from({ length: 12 }, () => zeros(900)) },
    allowed: {},
    code: 'VALUES_TOO_LARGE',
  },
  'literals nested 21 levels deep': { cannot: 'literals stand in documents' },
  'a variable of another type': {
    tool: list,
    hostile: { first: '1' },
    allowed: { first: 1 },
    code: 'BAD_USER_INPUT',
  },
  'a variable that is missing': {
    tool: read,
    hostile: {},
    allowed: { id: 'x' },
    code: 'BAD_USER_INPUT',
  },
  'an argument of another type': { cannot: 'literals stand in documents' },
  'a null byte in a document': { cannot: 'an agent sends no document' },
  'half a surrogate pair in a document': { cannot: 'an agent sends no document' },
  'null bytes and half a surrogate pair in variables: no match': {
    tool: list,
    hostile: byReference('\u0000\ud800'),
    allowed: byReference('\ud83d\ude00'),
    code: null,
  },
  'null bytes in ids: no match': {
    tool: read,
    hostile: { id: 'TGlwc3luYzoA' },
    allowed: { id: 'TGlwc3luYzox' },
    code: null,
  },
  'null bytes as ids: no match': {
    tool: read,
    hostile: { id: '\u0000' },
    allowed: { id: 'x' },
    code: null,
  },
  'private addresses as callbackUrl, in many spellings: executed, with a typed error': {
    cannot:
      'no tool has a callbackUrl; the test of outbound addresses has the URLs of import_upload',
  },
  'a megabyte of variables': {
    tool: list,
    hostile: byReference('x'.repeat(1_000_000)),
    allowed: byReference('x'.repeat(999_000)),
    code: 'REQUEST_TOO_LARGE',
  },
  'five megabytes of variables': {
    tool: list,
    hostile: byReference('x'.repeat(5_000_000)),
    allowed: byReference('x'),
    code: 'REQUEST_TOO_LARGE',
  },
};

const headers = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
};

type Failure = { code?: string; message?: string };

/** The answer of `/mcp`, in the form of a GraphQL result. */
export async function callTool(
  url: string,
  tool: string,
  given: ToolArguments,
): Promise<TransportResult> {
  const json = typeof given === 'string' ? given : JSON.stringify(given);
  const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"${tool}","arguments":${json}}}`;
  const { text } = await sendRequest(url, { method: 'POST', path: '/mcp', headers, body });
  const line = /^data: (.*)$/m.exec(text)?.[1] ?? text;
  const answer = JSON.parse(line) as TransportResult & {
    result?: { isError?: boolean; structuredContent: Failure };
  };
  const { errors, result } = answer;
  if (errors !== undefined || result === undefined) return { errors: errors ?? [] };
  const { structuredContent: content } = result;
  if (result.isError !== true) return { data: content };
  return { errors: [{ message: content.message ?? '', extensions: { code: content.code } }] };
}
