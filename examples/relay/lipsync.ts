import { graphql } from 'relay-runtime';

/*
 * The documents of relay.ts. relay-compiler reads this file and generates `__generated__`; it is never run. In an
 * application, babel-plugin-relay or a bundler plugin lets each document be written where it is used.
 */

graphql`
  mutation lipsyncCreateMutation($input: CreateLipsyncInput!) {
    createLipsync(input: $input) {
      __typename
      ... on CreateLipsyncSuccess { lipsync { id status } }
      ... on LipsyncError { code message }
    }
  }
`;

graphql`
  subscription lipsyncWatchSubscription($id: ID!, $after: String) {
    lipsyncProgress(id: $id, after: $after) {
      __typename
      ... on LipsyncProgress {
        cursor sequence status percent
        failure { code message }
        lipsync { id status result { id url } }
      }
      ... on LipsyncError { code message }
    }
  }
`;

graphql`
  query lipsyncPageQuery($first: Int!, $after: String) {
    viewer {
      lipsyncs(first: $first, after: $after) @connection(key: "Page_lipsyncs") {
        edges { node { id status isFinal charge text } }
        pageInfo { endCursor hasNextPage }
      }
    }
  }
`;

graphql`
  query lipsyncVideosQuery($first: Int!, $after: String) {
    viewer {
      videos(first: $first, after: $after) @connection(key: "Page_videos") {
        edges { node { id status url } }
        pageInfo { endCursor hasNextPage }
      }
    }
  }
`;

graphql`
  query lipsyncUploadsQuery($first: Int!, $after: String) {
    viewer {
      uploads(first: $first, after: $after) @connection(key: "Page_uploads") {
        edges { node { id status kind } }
        pageInfo { endCursor hasNextPage }
      }
    }
  }
`;

graphql`
  query lipsyncNodeQuery($id: ID!) {
    node(id: $id) {
      __typename
      id
      ... on Lipsync { status text progress { percent } }
    }
  }
`;
