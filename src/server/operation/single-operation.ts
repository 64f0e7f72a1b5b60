import type { Plugin } from '@envelop/core';
import { getOperationAST } from 'graphql';
import { refuse } from './request-error.ts';

/**
 * Refuses a document that doesn't say which of its operations is meant, where every door parses: each of them would
 * otherwise find its own words for it, and some would first ask the database about it.
 */
export function useOneOperation(): Plugin<{ params?: { operationName?: string | null } }> {
  return {
    onParse:
      () =>
      ({ result, context: { params } }) => {
        if (result === null || result instanceof Error) return;
        if (getOperationAST(result, params?.operationName)) return;
        throw refuse(
          'OPERATION_RESOLUTION_FAILURE',
          'Could not determine what operation to execute.',
        );
      },
  };
}
