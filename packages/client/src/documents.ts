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
 * A document as a text that knows its types. The mark is that of GraphQL Code Generator's `DocumentTypeDecoration`, so
 * that whatever reads that one reads this; there is nothing behind it at run time.
 */
export type TypedDocument<Result, Variables> = string & {
  __apiType?: (variables: Variables) => Result;
};

/** What comes back for a document of the kit. */
export type ResultOf<Document> =
  Document extends TypedDocument<infer Result, never> ? Result : never;

/** What goes with a document of the kit. */
export type VariablesOf<Document> =
  Document extends TypedDocument<unknown, infer Variables> ? Variables : never;

/**
 * All that the kit ever sends: what `TRUSTED_DOCUMENTS` has to hold for it. Each names its one field `answer`, and asks
 * every failure through the interface `LipsyncError`, so that also one that this version does not know can be read.
 * `operations.ts` is made of these by `npm run schema`.
 */
const failure = 'code message retryable retryAfterSeconds';

const lipsyncFragment = `fragment Lipsync on Lipsync {
  id status reference text creditsCharged createdAt submittedAt finishedAt
  progress { percent queuePosition estimatedCompletionAt }
  failure { ${failure} }
  result { id url posterUrl width height durationSeconds }
}`;

export const createLipsyncDocument = `mutation CreateLipsync($input: CreateLipsyncInput!) {
  answer: createLipsync(input: $input) {
    __typename
    ... on CreateLipsyncSuccess { replayed lipsync { ...Lipsync } }
    ... on OutcomeUnknownError { lipsync { ...Lipsync } }
    ... on InvalidInputError { issues { path message } }
    ... on RateLimitedError { reason }
    ... on LipsyncError { ${failure} }
  }
}
${lipsyncFragment}` as TypedDocument<CreateLipsyncMutation, CreateLipsyncMutationVariables>;

export const cancelLipsyncDocument = `mutation CancelLipsync($input: CancelLipsyncInput!) {
  answer: cancelLipsync(input: $input) {
    __typename
    ... on LipsyncCancelled { lipsync { ...Lipsync } }
    ... on LipsyncTrackingStopped { lipsync { ...Lipsync } }
    ... on LipsyncAlreadyFinished { lipsync { ...Lipsync } }
    ... on InvalidInputError { issues { path message } }
    ... on LipsyncError { ${failure} }
  }
}
${lipsyncFragment}` as TypedDocument<CancelLipsyncMutation, CancelLipsyncMutationVariables>;

export const watchLipsyncDocument = `subscription WatchLipsync($id: ID!, $after: String) {
  answer: lipsyncProgress(id: $id, after: $after) {
    __typename
    ... on LipsyncProgress {
      cursor sequence status percent queuePosition occurredAt source
      failure { ${failure} }
      lipsync { ...Lipsync }
    }
    ... on InvalidInputError { issues { path message } }
    ... on LipsyncError { ${failure} }
  }
}
${lipsyncFragment}` as TypedDocument<WatchLipsyncSubscription, WatchLipsyncSubscriptionVariables>;

export const createUploadDocument = `mutation CreateUpload($input: CreateUploadInput!) {
  answer: createUpload(input: $input) {
    __typename
    ... on CreateUploadSuccess { uploadUrl }
    ... on InvalidInputError { issues { path message } }
    ... on LipsyncError { ${failure} }
  }
}` as TypedDocument<CreateUploadMutation, CreateUploadMutationVariables>;
