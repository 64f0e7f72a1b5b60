import type {
  CancelLipsyncMutation,
  CancelLipsyncMutationVariables,
  CreateLipsyncMutation,
  CreateLipsyncMutationVariables,
  CreateUploadMutation,
  CreateUploadMutationVariables,
  WatchLipsyncSubscription,
  WatchLipsyncSubscriptionVariables,
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
 * does not know is readable too. `npm run schema` generates `operations.ts` from these documents.
 */
const failure = 'code message retryable retryAfterSeconds';

const lipsyncFragment = `fragment Lipsync on Lipsync {
  id status isFinal charge reference text creditsCharged createdAt submittedAt finishedAt
  progress { percent queuePosition estimatedCompletionAt }
  failure { ${failure} }
  result { id url posterUrl width height durationSeconds }
}`;

export const createLipsyncDocument = `mutation CreateLipsync($input: CreateLipsyncInput!) {
  answer: createLipsync(input: $input) {
    __typename
    ... on CreateLipsyncSuccess { replayed lipsync { ...Lipsync } }
    ... on OutcomeUnknownError { lipsync { ...Lipsync } }
    ... on InvalidInputError { issues { path message code } }
    ... on RateLimitedError { limit }
    ... on LipsyncError { ${failure} }
  }
}
${lipsyncFragment}` as TypedDocument<CreateLipsyncMutation, CreateLipsyncMutationVariables>;

export const cancelLipsyncDocument = `mutation CancelLipsync($input: CancelLipsyncInput!) {
  answer: cancelLipsync(input: $input) {
    __typename
    ... on CancelOutcome { lipsync { ...Lipsync } }
    ... on LipsyncError { ${failure} }
  }
}
${lipsyncFragment}` as TypedDocument<CancelLipsyncMutation, CancelLipsyncMutationVariables>;

export const watchLipsyncDocument = `subscription WatchLipsync($id: ID!, $after: String) {
  answer: lipsyncProgress(id: $id, after: $after) {
    __typename
    ... on LipsyncProgress {
      cursor sequence status isFinal percent queuePosition occurredAt source
      failure { ${failure} }
      lipsync { ...Lipsync }
    }
    ... on InvalidInputError { issues { path message code } }
    ... on LipsyncError { ${failure} }
  }
}
${lipsyncFragment}` as TypedDocument<WatchLipsyncSubscription, WatchLipsyncSubscriptionVariables>;

export const createUploadDocument = `mutation CreateUpload($input: CreateUploadInput!) {
  answer: createUpload(input: $input) {
    __typename
    ... on CreateUploadSuccess { uploadUrl }
    ... on InvalidInputError { issues { path message code } }
    ... on LipsyncError { ${failure} }
  }
}` as TypedDocument<CreateUploadMutation, CreateUploadMutationVariables>;
