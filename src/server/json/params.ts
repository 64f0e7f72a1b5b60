import { isUtf8 } from 'node:buffer';
import type { GraphQLError } from 'graphql';
import type { GraphQLParams } from 'graphql-yoga';
import { LRUCache } from 'lru-cache';
import { requestError } from '../operation/request-error.ts';
import {
  batchingError,
  checkParams,
  invalidJsonError,
  setHttpStatus,
} from '../operation/request-params.ts';
import { resolveDocument, type TrustedDocuments } from '../operation/trusted-documents.ts';
import { checkJsonValues, checkSearchValues } from '../operation/value-limits.ts';

export type ParsedParams = { params: GraphQLParams } | { error: GraphQLError };

/** In bytes of all cached bodies, and of one. The body of an application's query has a few hundred bytes to a few thousand. */
const maxCachedBytes = { all: 4 * 1024 ** 2, one: 8_192 };

/** The parameters of queries, by the bytes of their JSON bodies: clients send the same queries again and again. */
export class KnownBodies {
  readonly #cached = new LRUCache<string, ParsedParams>({
    maxSize: maxCachedBytes.all,
    sizeCalculation: (_, key) => 2 * key.length + 500,
  });

  find(body: Buffer): ParsedParams | undefined {
    return body.byteLength > maxCachedBytes.one ? undefined : this.#cached.get(keyOf(body));
  }

  /** Caches the parameters of a query, which has no secrets, unless it is long or has values that an operation could change. */
  keep(body: Buffer, parsed: ParsedParams): void {
    if (body.byteLength > maxCachedBytes.one || 'error' in parsed || !isFlat(parsed.params)) return;
    this.#cached.set(keyOf(body), parsed);
  }
}

/** A character for each byte, so that different bodies have different keys, also those that are not UTF-8. */
function keyOf(body: Buffer): string {
  return body.toString('latin1');
}

/** Whether no parameter has an object or a list in it. */
function isFlat({ variables, extensions }: GraphQLParams): boolean {
  return [variables, extensions].every((values) =>
    Object.values(values ?? {}).every((value) => typeof value !== 'object' || value === null),
  );
}

/** The parameters in the JSON body of a POST. */
export function parseJsonParams(body: Buffer, documents: TrustedDocuments): ParsedParams {
  const error = checkJsonValues(body, 1);
  if (error !== undefined) return { error };
  // Other bytes would be decoded as U+FFFD: a text in Latin 1 would be spoken wrong, and two keys would become one.
  if (!isUtf8(body)) return reject(invalidJsonError());
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    return reject(invalidJsonError());
  }
  if (typeof value === 'object' && value !== null) return checkAll(value, documents);
  const given = value === null ? 'null' : typeof value;
  const message = `POST body is expected to be object but received ${given}`;
  return reject(requestError('BAD_REQUEST', message));
}

/** The parameters in the URL of a GET. */
export function parseSearchParams(url: string, documents: TrustedDocuments): ParsedParams {
  const at = url.indexOf('?');
  const search = new URLSearchParams(at < 0 ? '' : url.slice(at + 1));
  const error = checkSearchValues(search);
  if (error !== undefined) return { error };
  const textOf = (name: string) => search.get(name) || undefined;
  const jsonOf = (name: string) => {
    const text = textOf(name);
    return text === undefined ? undefined : JSON.parse(text);
  };
  const documentId = search.get('documentId');
  try {
    const params = {
      operationName: textOf('operationName'),
      query: textOf('query'),
      variables: jsonOf('variables'),
      extensions: jsonOf('extensions'),
    };
    const named = documents === null || documentId === null ? params : { ...params, documentId };
    return checkAll(named, documents);
  } catch {
    return reject(invalidJsonError());
  }
}

function checkAll(given: object, documents: TrustedDocuments): ParsedParams {
  if (Array.isArray(given)) return reject(batchingError());
  const params = resolveDocument(given, documents);
  const error = checkParams(params);
  return error === undefined ? { params } : reject(error);
}

function reject(error: GraphQLError): ParsedParams {
  return { error: setHttpStatus(error, 400) };
}
