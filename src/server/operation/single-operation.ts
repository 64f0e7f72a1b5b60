import { getOperationAST } from 'graphql';
import type { PipelinePlugin } from './plugin.ts';
import { requestError } from './request-error.ts';

/**
 * Rejects a document with several operations when none is selected by name. It runs on parsing, which every transport
 * does: otherwise each transport would report it with its own message, and some only after a database query.
 */
export function useSingleOperation(): PipelinePlugin {
  return {
    onParse:
      () =>
      ({ result, context: { params } }) => {
        if (result === null || result instanceof Error) return;
        if (getOperationAST(result, params?.operationName)) return;
        throw requestError(
          'OPERATION_RESOLUTION_FAILURE',
          'Could not determine what operation to execute.',
        );
      },
  };
}
