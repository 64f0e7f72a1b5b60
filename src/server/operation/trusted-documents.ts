import type { GraphQLError } from 'graphql';
import { z } from 'zod';
import type { PipelinePlugin } from './plugin.ts';
import { requestError } from './request-error.ts';

/** The documents that this server executes, by their ids in requests. Null: it executes any document. */
export type TrustedDocuments = ReadonlyMap<string, string> | null;

const namedRequest = z.object({
  documentId: z.string().optional().catch(undefined),
  extensions: z
    .object({ persistedQuery: z.object({ sha256Hash: z.string() }) })
    .optional()
    .catch(undefined),
});

/** The id of the document: `documentId`, or the hash of Apollo's persisted queries. */
export function documentIdOf(params: unknown): string | undefined {
  const { data } = namedRequest.safeParse(params);
  return data?.documentId ?? data?.extensions?.persistedQuery.sha256Hash;
}

/**
 * Replaces the id by the document. With an unknown id the text beside it counts, as without an id: the trust check decides
 * whether it is executed, and an id is never learned from a request. Without a text the document is empty, which is not trusted.
 */
export function resolveDocument<Params extends object>(
  params: Params,
  documents: TrustedDocuments,
): Params & { query?: string } {
  const id = documents === null ? undefined : documentIdOf(params);
  if (documents === null || id === undefined) return params;
  const { documentId: _, ...rest } = params as Params & { documentId?: unknown; query?: string };
  return { ...(rest as Params), query: documents.get(id) ?? rest.query ?? '' };
}

/** Resolves document ids in HTTP requests. The WebSocket transport calls `resolveDocument` itself. */
export function useDocumentIds(documents: TrustedDocuments): PipelinePlugin {
  return {
    onRequestParse({ request: { url }, requestParser, setRequestParser }) {
      if (documents === null || requestParser === undefined) return;
      setRequestParser(async (request) => {
        const params = await requestParser(request);
        if (Array.isArray(params)) return params;
        const documentId = new URL(url).searchParams.get('documentId');
        return resolveDocument(documentId === null ? params : { ...params, documentId }, documents);
      });
    },
  };
}

/** The check that every document passes before it is parsed, on every transport. */
export function createTrustCheck(
  documents: TrustedDocuments,
): (query: string) => GraphQLError | undefined {
  if (documents === null) return () => undefined;
  const trusted = new Set(documents.values());
  return (query) =>
    trusted.has(query)
      ? undefined
      : requestError(
          'DOCUMENT_NOT_TRUSTED',
          'This document is not in the list of trusted documents.',
        );
}
