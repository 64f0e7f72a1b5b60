import type { Agent } from '../support/agent.ts';
import type { GraphQLClient } from '../support/graphql-client.ts';
import type { FileHost } from './files.ts';
import type { Receivers } from './receivers.ts';

/** The program, and what its clients use beside it. */
export type Server = {
  url: string;
  client: GraphQLClient;
  agent: Agent;
  videoIds: readonly string[];
  files: FileHost;
  receivers: Receivers;
};
