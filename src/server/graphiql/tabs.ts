/*
 * What the ready tabs ask. `src/server/graphiql/browser/page.js` fills variables that are called `video`, `lipsync` and `audio`. Lines
 * have at most 48 characters: more is out of view in a window of 1280 pixels.
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

const videos = `# Videos whose person can be made to speak,
# the newest first.
query Videos {
  videos(
    first: 5
    filter: { status: [COMPLETED] }
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

const create = `# Makes a person speak: the variables name
# the newest video and what it is to say.
# The next tab watches what comes of it.
mutation CreateLipsync(
  $video: ID!
  $text: String!
) {
  createLipsync(
    input: {
      video: { id: $video }
      speech: { text: { text: $text } }
      reference: "graphiql"
    }
  ) {
${created}
  }
}
`;

const watch = `# What happens to a lip-sync, live. The
# variables name the last one you made.
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

const upload = `# A place for a file of your own. Send it:
#   curl -T speech.mp3 "<uploadUrl>"
# Or press "Upload audio" at the top, which
# opens a tab that makes a video say it.
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
      upload { id state expiresAt }
    }
    ... on InvalidInputError {
      issues { path message }
    }
    ... on LipsyncError { code message }
  }
}
`;

/** Of the tab that opens behind an upload. */
export const speakAudio = `# The newest video says what you uploaded.
mutation SpeakAudio($video: ID!, $audio: ID!) {
  createLipsync(
    input: {
      video: { id: $video }
      speech: { audioUploadId: $audio }
      reference: "graphiql"
    }
  ) {
${created}
  }
}
`;

const onPurpose = `# An error on purpose: a failure that was
# foreseen is data, with a type of its own.
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

/** In the order in which a newcomer presses them. */
export function readyTabs({ video, lipsync }: { video: string; lipsync: string }) {
  return [
    { query: voices },
    { query: videos },
    { query: create, variables: variables({ video, text: 'Hello from GraphiQL!' }) },
    { query: watch, variables: variables({ lipsync }) },
    { query: upload },
    { query: onPurpose },
  ];
}
