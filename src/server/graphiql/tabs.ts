/*
 * The documents of the prepared tabs. `browser/page.js` fills in variables with the names `video`, `lipsync` and `audio`.
 * Lines have at most 48 characters: longer ones do not fit into the editor in a window of 1280 pixels.
 */

const voices = `# The voices that can speak a text.
# Press the play button, or Ctrl-Enter.
query Voices {
  voices {
    ... on VoiceList {
      nodes { id name previewUrl }
    }
    ... on LipsyncError { code message }
  }
}
`;

const videos = `# Videos of persons that can speak a text,
# the newest first.
query Videos {
  videos(
    first: 5
    filter: { statuses: [COMPLETED] }
  ) {
    ... on VideoConnection {
      nodes {
        id prompt createdAt
        width height durationSeconds
        url posterUrl
      }
      pageInfo { hasNextPage endCursor }
    }
    ... on LipsyncError { code message }
  }
}
`;

const created = `    __typename
    ... on CreateLipsyncSuccess {
      lipsync { id status createdAt }
    }
    ... on OutcomeUnknownError {
      lipsync { id status }
    }
    ... on InvalidInputError {
      issues { path message }
    }
    ... on LipsyncError {
      code message
      retryable retryAfterSeconds
    }`;

const create = `# Makes the person in a video speak. The
# variables name the newest video and a text.
# The next tab shows the progress.
mutation CreateLipsync(
  $video: ID!
  $text: String!
) {
  createLipsync(
    input: {
      video: { videoId: $video }
      speech: { script: { text: $text } }
      reference: "graphiql"
    }
  ) {
${created}
  }
}
`;

const watch = `# The progress of a lip-sync, live. The
# variables name the newest one.
subscription Watch($lipsync: ID!) {
  lipsyncProgress(id: $lipsync) {
    ... on LipsyncProgress {
      sequence
      status
      percent
      queuePosition
      occurredAt
      source
      cursor
      failure { code message }
      lipsync {
        result { url durationSeconds }
      }
    }
    ... on LipsyncError { code message }
  }
}
`;

const upload = `# An upload URL for your own audio. Send it:
#   curl -T speech.mp3 "<uploadUrl>"
# Or press "Upload audio" at the top, which
# then opens a tab that uses the upload.
mutation CreateUpload {
  createUpload(
    input: {
      kind: AUDIO
      contentType: "audio/mpeg"
      filename: "speech.mp3"
    }
  ) {
    __typename
    ... on CreateUploadSuccess {
      uploadUrl
      upload { id status expiresAt }
    }
    ... on InvalidInputError {
      issues { path message }
    }
    ... on LipsyncError { code message }
  }
}
`;

/** The document of the tab that opens after an upload. */
export const speakAudio = `# The newest video speaks your upload.
mutation SpeakAudio($video: ID!, $audio: ID!) {
  createLipsync(
    input: {
      video: { videoId: $video }
      speech: { uploadId: $audio }
      reference: "graphiql"
    }
  ) {
${created}
  }
}
`;

const failingQuery = `# An intended error: expected failures are
# data, and each has its own type.
query NoSuchPage {
  videos(first: 1000) {
    __typename
    ... on InvalidInputError {
      code message
      issues { path message }
    }
  }
}
`;

const variables = (values: object) => JSON.stringify(values, null, 2);

/** In the order of a first visit. */
export function createTabs({ video, lipsync }: { video: string; lipsync: string }) {
  return [
    { query: voices },
    { query: videos },
    { query: create, variables: variables({ video, text: 'Hello from GraphiQL!' }) },
    { query: watch, variables: variables({ lipsync }) },
    { query: upload },
    { query: failingQuery },
  ];
}
