import type { Plugin as EnvelopPlugin } from '@envelop/core';
import type { Plugin } from 'graphql-yoga';
import { z } from 'zod';
import { refuse } from './request-error.ts';

/** What may be executed, by the id that requests name it by; null = anything. */
export type TrustedDocuments = ReadonlyMap<string, string> | null;

const request = z.object({
  documentId: z.string().optional().catch(undefined),
  extensions: z
    .object({ persistedQuery: z.object({ sha256Hash: z.string() }) })
    .optional()
    .catch(undefined),
});

/** The id by which a request names its document: our own way, or Apollo's. */
export function documentIdOf(params: unknown): string | undefined {
  const named = request.safeParse(params).data;
  return named?.documentId ?? named?.extensions?.persistedQuery.sha256Hash;
}

/** The same request with its document in place. An unknown id gets none, and is refused like any foreign document. */
export function resolveDocument<Params extends object>(
  params: Params,
  documents: TrustedDocuments,
): Params & { query?: string } {
  const id = documentIdOf(params);
  if (documents === null || id === undefined) return params;
  const { documentId: _, ...rest } = params as Params & { documentId?: unknown };
  return { ...(rest as Params), query: documents.get(id) ?? '' };
}

/** Lets HTTP requests name their documents. */
export function useDocumentIds(documents: TrustedDocuments): Plugin {
  return {
    onRequestParse({ request: from, requestParser, setRequestParser }) {
      if (documents === null || requestParser === undefined) return;
      setRequestParser(async (each) => {
        const params = await requestParser(each);
        if (Array.isArray(params)) return params;
        const documentId = new URL(from.url).searchParams.get('documentId');
        return resolveDocument(documentId === null ? params : { ...params, documentId }, documents);
      });
    },
  };
}

/** Refuses every document that is not in the map, on every door: all of them parse here. */
export function useTrustedOnly(documents: TrustedDocuments): EnvelopPlugin {
  const trusted = new Set(documents?.values());
  return {
    onParse({ params, setParseFn }) {
      if (documents === null || trusted.has(String(params.source))) return;
      setParseFn(() => {
        throw refuse(
          'DOCUMENT_NOT_TRUSTED',
          'This document is not one of those that this server executes.',
        );
      });
    },
  };
}
