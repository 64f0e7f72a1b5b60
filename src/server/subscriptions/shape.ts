import {
  type DocumentNode,
  type ExecutionArgs,
  getOperationAST,
  Kind,
  type OperationDefinitionNode,
  visit,
} from 'graphql';
import type { Caller, Context } from '../../graphql/context.ts';

/** The argument of a subscription that only says where to start. */
const startArgument = 'after';

const documentIds = new WeakMap<DocumentNode, number>();
let lastDocumentId = 0;

/**
 * A text that is equal for two subscriptions if every event has the same result for both: the same document and operation,
 * the same variables except the cursor at which they start, and a caller with the same owner and rights.
 */
export function shapeOf({ document, operationName, variableValues, contextValue }: ExecutionArgs) {
  const operation = getOperationAST(document, operationName);
  if (operation == null) throw new Error('The document has no operation to execute.');
  const given = variableValues ?? {};
  const variables = relevantVariables(document, operation).map((name) =>
    Object.hasOwn(given, name) ? [given[name]] : [],
  );
  const { caller } = contextValue as Context;
  return `${documentId(document)} ${operation.loc?.start} ${visibilityOf(caller)} ${JSON.stringify(variables)}`;
}

function documentId(document: DocumentNode): number {
  const known = documentIds.get(document);
  if (known !== undefined) return known;
  lastDocumentId += 1;
  documentIds.set(document, lastDocumentId);
  return lastDocumentId;
}

/** Everything that resolvers read of a caller, except its token. */
function visibilityOf({ owner, name, isAuthenticated, scopes }: Caller): string {
  return JSON.stringify([owner, name, isAuthenticated, [...scopes].toSorted()]);
}

const variablesOf = new WeakMap<OperationDefinitionNode, readonly string[]>();

/** The variables that can change a result: all but those that are used only as the start. */
function relevantVariables(document: DocumentNode, operation: OperationDefinitionNode) {
  const known = variablesOf.get(operation);
  if (known !== undefined) return known;
  const starts = startVariables(operation);
  const uses = new Map<string, number>();
  visit(document, {
    VariableDefinition: () => false,
    Variable: ({ name }) => void uses.set(name.value, (uses.get(name.value) ?? 0) + 1),
  });
  const names = (operation.variableDefinitions ?? [])
    .map(({ variable }) => variable.name.value)
    .filter((name) => !(starts.includes(name) && uses.get(name) === 1));
  variablesOf.set(operation, names);
  return names;
}

function startVariables({ selectionSet }: OperationDefinitionNode): string[] {
  const fields = selectionSet.selections.filter((each) => each.kind === Kind.FIELD);
  const starts = fields
    .flatMap((field) => field.arguments ?? [])
    .filter(({ name }) => name.value === startArgument);
  return starts.flatMap(({ value }) => (value.kind === Kind.VARIABLE ? [value.name.value] : []));
}
