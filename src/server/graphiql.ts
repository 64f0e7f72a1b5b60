import type { GraphiQLOptions } from 'graphql-yoga';

const voices = `# The voices that can speak a text. Press the play button, or Ctrl-Enter.
query Voices {
  voices {
    ... on VoiceList {
      nodes { id name previewUrl }
    }
    ... on LipsyncError { code message retryable retryAfterSeconds }
  }
}
`;

const videos = `# Videos to lip-sync, the newest first. Copy an id into the next tab.
query Videos {
  videos(first: 5, filter: { status: [COMPLETED] }) {
    ... on VideoConnection {
      nodes { id prompt width height durationSeconds url posterUrl createdAt }
      pageInfo { hasNextPage endCursor }
    }
    ... on LipsyncError { code message }
  }
}
`;

const create = `# Makes a person speak. Put a video's id into the variables below.
mutation CreateLipsync($video: ID!, $text: String!) {
  createLipsync(
    input: { video: { id: $video }, speech: { text: { text: $text } }, reference: "graphiql" }
  ) {
    __typename
    ... on CreateLipsyncSuccess {
      replayed
      lipsync { id status progress { percent estimatedCompletionAt queuePosition } }
    }
    ... on OutcomeUnknownError { lipsync { id status } }
    ... on InvalidInputError { issues { path message } }
    ... on LipsyncError { code message retryable retryAfterSeconds }
  }
}
`;

const watch = `# Everything that happens to a lip-sync, live. Put its id into the variables below.
subscription Watch($id: ID!) {
  lipsyncProgress(id: $id) {
    ... on LipsyncProgress {
      sequence status percent queuePosition occurredAt source cursor
      failure { code message }
      lipsync { result { url durationSeconds } }
    }
    ... on LipsyncError { code message }
  }
}
`;

const onPurpose = `# An error on purpose: a failure that was foreseen is data, of a type of its own.
query NoSuchPage {
  videos(first: 1000) {
    __typename
    ... on InvalidInputError { code message issues { path message } }
  }
}
`;

/** The tabs that a newcomer finds ready. */
export const tabs = [
  { query: voices },
  { query: videos },
  {
    query: create,
    variables: JSON.stringify({ video: '', text: 'Hello from GraphiQL!' }, null, 2),
  },
  { query: watch, variables: JSON.stringify({ id: '' }, null, 2) },
  { query: onPurpose },
];

export const graphiqlOptions: GraphiQLOptions = {
  title: 'Lip-sync GraphQL',
  subscriptionsProtocol: 'WS',
  shouldPersistHeaders: false,
  defaultTabs: tabs,
};
