import {
  type DocumentNode,
  type FragmentDefinitionNode,
  GraphQLError,
  type GraphQLSchema,
  getOperationAST,
  Kind,
  type OperationDefinitionNode,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { parseWithLimits, validateWithLimits } from './document-limits.ts';
import { addCode } from './masking.ts';
import { PlanCache, PreparedOperation } from './prepared-operation.ts';
import { requestError } from './request-error.ts';
import { createTrustCheck, type TrustedDocuments } from './trusted-documents.ts';

/** `operation` is the selected operation of a document that was parsed before it was rejected. */
export type RejectedOperation = {
  errors: readonly GraphQLError[];
  operation: OperationDefinitionNode | null;
};

export type Prepare = (
  query: string,
  operationName?: string | null,
) => PreparedOperation | RejectedOperation;

export function isRejected(
  preparation: PreparedOperation | RejectedOperation,
): preparation is RejectedOperation {
  return 'errors' in preparation;
}

/**
 * Parses, limits and validates each document once, however many requests have it. The verdict on a rejected document is
 * cached too.
 *
 * @param parts.hasSuggestions false removes "Did you mean …?" from GraphQL's messages, which reveals names of the schema
 */
export function createPreparer(parts: {
  schema: GraphQLSchema;
  trustedDocuments: TrustedDocuments;
  hasSuggestions: boolean;
}): Prepare {
  const checkTrust = createTrustCheck(parts.trustedDocuments);
  const documents = new DocumentCache();
  const plans = new PlanCache();

  function read(query: string): KnownDocument {
    const error = checkTrust(query);
    if (error !== undefined) return { errors: [error], operation: null };
    try {
      return new ParsedDocument({ ...parts, plans, document: parseWithLimits(query) });
    } catch (thrown) {
      if (!(thrown instanceof GraphQLError)) throw thrown;
      return { errors: [addCode(thrown, 'GRAPHQL_PARSE_FAILED')], operation: null };
    }
  }

  return (query, operationName) => {
    let document = documents.get(query);
    if (document === undefined) {
      document = read(query);
      documents.add(query, document);
    }
    return document instanceof ParsedDocument ? document.select(operationName) : document;
  };
}

type KnownDocument = ParsedDocument | RejectedOperation;

type DocumentParts = {
  schema: GraphQLSchema;
  document: DocumentNode;
  plans: PlanCache;
  hasSuggestions: boolean;
};

class ParsedDocument {
  readonly #parts: DocumentParts;
  readonly #operations = new Map<OperationDefinitionNode, PreparedOperation>();
  #errors: readonly GraphQLError[] | undefined;

  constructor(parts: DocumentParts) {
    this.#parts = parts;
  }

  /** The operation of this name, or the only one. */
  select(operationName: string | null | undefined): PreparedOperation | RejectedOperation {
    const { document } = this.#parts;
    const operation = getOperationAST(document, operationName);
    if (operation == null) return { errors: [noOperationError()], operation: null };
    const known = this.#operations.get(operation);
    if (known !== undefined) return known;
    this.#errors ??= this.#validate();
    if (this.#errors.length > 0) return { errors: this.#errors, operation };
    const fragments = document.definitions
      .filter((each): each is FragmentDefinitionNode => each.kind === Kind.FRAGMENT_DEFINITION)
      .map((each) => [each.name.value, each] as const);
    const prepared = new PreparedOperation({
      ...this.#parts,
      operation,
      fragments: new Map(fragments),
    });
    this.#operations.set(operation, prepared);
    return prepared;
  }

  countTokens(): number {
    let count = 0;
    let token = this.#parts.document.loc?.startToken ?? null;
    for (; token !== null; token = token.next) count += 1;
    return count;
  }

  #validate(): readonly GraphQLError[] {
    const { schema, document, hasSuggestions } = this.#parts;
    const errors = validateWithLimits(schema, document, { hasSuggestions });
    return errors.map((error) => addCode(error, 'GRAPHQL_VALIDATION_FAILED'));
  }
}

/** In bytes of memory, as estimated by `sizeOf`. */
const maxBytes = { once: 16 * 1024 ** 2, repeated: 64 * 1024 ** 2 };

/** Measured: a token of a prepared document needs 260 to 490 bytes, and a document with few tokens some kilobytes. */
const bytesOf = { document: 8_192, token: 500, character: 2 };

/**
 * Documents by their texts. A document is cached for long only after its second request, so that documents that are sent only
 * once displace none of the documents of an application.
 */
class DocumentCache {
  readonly #once = createTextCache(maxBytes.once);
  readonly #repeated = createTextCache(maxBytes.repeated);

  get(query: string): KnownDocument | undefined {
    const repeated = this.#repeated.get(query);
    if (repeated !== undefined) return repeated;
    const once = this.#once.get(query);
    if (once === undefined) return undefined;
    this.#once.delete(query);
    this.#repeated.set(query, once);
    return once;
  }

  add(query: string, document: KnownDocument): void {
    this.#once.set(query, document);
  }
}

function createTextCache(maxSize: number): LRUCache<string, KnownDocument> {
  return new LRUCache({ maxSize, sizeCalculation: sizeOf });
}

/** Not by the length of the text: the memory of two documents of one kilobyte can differ tenfold. */
function sizeOf(document: KnownDocument, query: string): number {
  const tokens = document instanceof ParsedDocument ? document.countTokens() : 0;
  return bytesOf.document + tokens * bytesOf.token + query.length * bytesOf.character;
}

/**
 * Reported here and not by the transports: otherwise each transport would report it with its own message, and some only
 * after a database query.
 */
function noOperationError(): GraphQLError {
  return requestError(
    'OPERATION_RESOLUTION_FAILURE',
    'Could not determine what operation to execute.',
  );
}
