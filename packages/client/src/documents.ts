import type {
  CancelLipsyncMutation,
  CancelLipsyncMutationVariables,
  CreateLipsyncMutation,
  CreateLipsyncMutationVariables,
  CreateLipsyncsMutation,
  CreateLipsyncsMutationVariables,
  CreateUploadMutation,
  CreateUploadMutationVariables,
  DeleteLipsyncMutation,
  DeleteLipsyncMutationVariables,
  EstimateLipsyncQuery,
  EstimateLipsyncQueryVariables,
  GetLipsyncQuery,
  GetLipsyncQueryVariables,
  ImportUploadMutation,
  ImportUploadMutationVariables,
  ListLipsyncsQuery,
  ListLipsyncsQueryVariables,
  ViewerQuery,
  ViewerQueryVariables,
  WatchLipsyncSubscription,
  WatchLipsyncSubscriptionVariables,
  WatchLipsyncsSubscription,
  WatchLipsyncsSubscriptionVariables,
} from './operations.ts';

/**
 * A GraphQL document as a string that carries its types. The type brand is the one of GraphQL Code Generator's
 * `DocumentTypeDecoration`, so clients that support that type support this one. At run time it is a plain string.
 */
export type TypedDocument<Result, Variables> = string & {
  __apiType?: (variables: Variables) => Result;
};

/** The data of a document of the kit. */
export type ResultOf<Document> =
  Document extends TypedDocument<infer Result, never> ? Result : never;

/** The variables of a document of the kit. */
export type VariablesOf<Document> =
  Document extends TypedDocument<unknown, infer Variables> ? Variables : never;

/*
 * Every document that the kit sends: a server with `TRUSTED_DOCUMENTS` needs all of them. Each has one field, with the
 * alias `answer`, and selects failures through the interface `LipsyncError`, so that a failure type which this version
 * does not know is readable too. `npm run schema` generates `operations.ts` from these documents. They have no
 * indentation, and what they share is written once, because every page loads them.
 */
const fields = '{ code message retryable retryAfterSeconds }';
const failed = `... on LipsyncError ${fields}`;
const failedWithIssues = `... on InvalidInputError { issues { path message code } } ${failed}`;

const lipsync = 'lipsync { ...Lipsync }';
const lipsyncFragment = ` fragment Lipsync on Lipsync {
id status isFinal charge reference text creditsCharged createdAt submittedAt finishedAt
progress { percent queuePosition estimatedCompletionAt }
failure ${fields}
result { id url permanentUrl posterUrl width height durationSeconds }
}`;

const created = `{ __typename
... on CreateLipsyncSuccess { replayed ${lipsync} }
... on OutcomeUnknownError { ${lipsync} }
... on RateLimitedError { limit }
${failedWithIssues} }`;

export const createLipsyncDocument =
  `mutation CreateLipsync($input: CreateLipsyncInput!) { answer: createLipsync(input: $input) ${created} }${lipsyncFragment}` as TypedDocument<
    CreateLipsyncMutation,
    CreateLipsyncMutationVariables
  >;

export const createLipsyncsDocument =
  `mutation CreateLipsyncs($input: CreateLipsyncsInput!) { answer: createLipsyncs(input: $input) { __typename
... on CreateLipsyncsSuccess { results ${created} }
${failedWithIssues} } }${lipsyncFragment}` as TypedDocument<
    CreateLipsyncsMutation,
    CreateLipsyncsMutationVariables
  >;

export const cancelLipsyncDocument =
  `mutation CancelLipsync($input: CancelLipsyncInput!) { answer: cancelLipsync(input: $input) { __typename
... on CancelOutcome { ${lipsync} }
${failed} } }${lipsyncFragment}` as TypedDocument<
    CancelLipsyncMutation,
    CancelLipsyncMutationVariables
  >;

export const deleteLipsyncDocument =
  `mutation DeleteLipsync($input: DeleteLipsyncInput!) { answer: deleteLipsync(input: $input) { __typename
... on DeleteLipsyncSuccess { deletedLipsyncId }
${failedWithIssues} } }` as TypedDocument<DeleteLipsyncMutation, DeleteLipsyncMutationVariables>;

export const createUploadDocument =
  `mutation CreateUpload($input: CreateUploadInput!) { answer: createUpload(input: $input) { __typename
... on CreateUploadSuccess { uploadUrl }
${failedWithIssues} } }` as TypedDocument<CreateUploadMutation, CreateUploadMutationVariables>;

export const importUploadDocument =
  `mutation ImportUpload($input: ImportUploadInput!) { answer: importUpload(input: $input) { __typename
... on ImportUploadSuccess { upload { id status } }
${failedWithIssues} } }` as TypedDocument<ImportUploadMutation, ImportUploadMutationVariables>;

export const estimateLipsyncDocument =
  `query EstimateLipsync($input: EstimateLipsyncInput!) { answer: estimateLipsync(input: $input) { __typename
... on LipsyncQuote { credits basis sampleCount seconds creditsAvailable }
${failedWithIssues} } }` as TypedDocument<EstimateLipsyncQuery, EstimateLipsyncQueryVariables>;

const progress = `{ __typename
... on LipsyncProgress {
cursor sequence status isFinal percent queuePosition occurredAt source
failure ${fields}
${lipsync} }
${failedWithIssues} }`;

export const watchLipsyncDocument =
  `subscription WatchLipsync($id: ID!, $after: String) { answer: lipsyncProgress(id: $id, after: $after) ${progress} }${lipsyncFragment}` as TypedDocument<
    WatchLipsyncSubscription,
    WatchLipsyncSubscriptionVariables
  >;

export const watchLipsyncsDocument =
  `subscription WatchLipsyncs($ids: [ID!]!, $after: String) { answer: lipsyncsProgress(ids: $ids, after: $after) ${progress} }${lipsyncFragment}` as TypedDocument<
    WatchLipsyncsSubscription,
    WatchLipsyncsSubscriptionVariables
  >;

export const getLipsyncDocument =
  `query GetLipsync($id: ID!) { answer: lipsync(id: $id) { __typename ...Lipsync } }${lipsyncFragment}` as TypedDocument<
    GetLipsyncQuery,
    GetLipsyncQueryVariables
  >;

export const listLipsyncsDocument =
  `query ListLipsyncs($first: Int, $after: String, $filter: LipsyncFilter) { answer: lipsyncs(first: $first, after: $after, filter: $filter) { __typename
nodes { ...Lipsync }
pageInfo { hasNextPage endCursor } } }${lipsyncFragment}` as TypedDocument<
    ListLipsyncsQuery,
    ListLipsyncsQueryVariables
  >;

export const viewerDocument = `query Viewer { answer: viewer { __typename
authenticated name scopes
costPerMinute { ...Allowance }
lipsyncsPerDay { ...Allowance }
lipsyncsInFlight { ...Allowance }
openStreams { ...Allowance } } }
fragment Allowance on Allowance { limit used remaining resetAt }` as TypedDocument<
  ViewerQuery,
  ViewerQueryVariables
>;

/** Everything that the kit sends, for a server with `TRUSTED_DOCUMENTS` and for programs that send it in another way. */
export const documents = {
  cancelLipsyncDocument,
  createLipsyncDocument,
  createLipsyncsDocument,
  createUploadDocument,
  deleteLipsyncDocument,
  estimateLipsyncDocument,
  getLipsyncDocument,
  importUploadDocument,
  listLipsyncsDocument,
  viewerDocument,
  watchLipsyncDocument,
  watchLipsyncsDocument,
};
