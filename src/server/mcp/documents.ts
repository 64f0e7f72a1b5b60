/*
 * The documents of the tools. Each has one field, with the alias `answer`, and selects failures through the interface
 * `LipsyncError`, so that a tool shows every failure that its field can return.
 */
const failure = '... on LipsyncError { code message retryable retryAfterSeconds }';
const issues = '... on InvalidInputError { issues { path message code } }';
const limit = '... on RateLimitedError { limit }';

const lipsyncFragment = `fragment Lipsync on Lipsync {
  id status isFinal charge creditsCharged text reference createdAt submittedAt finishedAt
  progress { percent queuePosition estimatedCompletionAt }
  failure { code message retryable retryAfterSeconds }
  result { id url posterUrl width height durationSeconds }
}`;

export const listVoices = `query ListVoices {
  answer: voices {
    __typename
    ... on VoiceList { nodes { id name previewUrl } }
    ${issues}
    ${limit}
    ${failure}
  }
}`;

export const listVideos = `query ListVideos($first: Int, $after: String, $filter: VideoFilter) {
  answer: videos(first: $first, after: $after, filter: $filter) {
    __typename
    ... on VideoConnection {
      nodes { id status prompt url posterUrl width height aspectRatio durationSeconds createdAt }
      pageInfo { hasNextPage endCursor }
    }
    ${issues}
    ${limit}
    ${failure}
  }
}`;

export const estimateLipsync = `query EstimateLipsync($input: EstimateLipsyncInput!) {
  answer: estimateLipsync(input: $input) {
    __typename
    ... on LipsyncQuote { credits basis sampleCount seconds creditsAvailable }
    ${issues}
    ${failure}
  }
}`;

export const createLipsync = `mutation CreateLipsync($input: CreateLipsyncInput!) {
  answer: createLipsync(input: $input) {
    __typename
    ... on CreateLipsyncSuccess { replayed lipsync { ...Lipsync } }
    ... on OutcomeUnknownError { lipsync { ...Lipsync } }
    ${issues}
    ${limit}
    ${failure}
  }
}
${lipsyncFragment}`;

export const getLipsync = `query GetLipsync($id: ID!) {
  answer: lipsync(id: $id) { ...Lipsync }
}
${lipsyncFragment}`;

export const watchLipsync = `subscription WatchLipsync($id: ID!) {
  answer: lipsyncProgress(id: $id) {
    __typename
    ... on LipsyncProgress { status percent queuePosition isFinal lipsync { ...Lipsync } }
    ${issues}
    ${failure}
  }
}
${lipsyncFragment}`;

export const listLipsyncs = `query ListLipsyncs($first: Int, $after: String, $filter: LipsyncFilter) {
  answer: lipsyncs(first: $first, after: $after, filter: $filter) {
    nodes { ...Lipsync }
    pageInfo { hasNextPage endCursor }
  }
}
${lipsyncFragment}`;

export const cancelLipsync = `mutation CancelLipsync($input: CancelLipsyncInput!) {
  answer: cancelLipsync(input: $input) {
    __typename
    ... on CancelOutcome { lipsync { ...Lipsync } }
    ... on LipsyncTrackingStopped { message }
    ${failure}
  }
}
${lipsyncFragment}`;

export const importUpload = `mutation ImportUpload($input: ImportUploadInput!) {
  answer: importUpload(input: $input) {
    __typename
    ... on ImportUploadSuccess { upload { id kind status filename createdAt } }
    ${issues}
    ${failure}
  }
}`;
