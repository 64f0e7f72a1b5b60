import { createApiKeys } from '../support/api-keys.ts';
import { startTestApp, type TestApp, type TestAppOptions } from '../support/app.ts';
import { createGraphQLClient, type GraphQLClient } from '../support/graphql-client.ts';
import { readVideoIds, withHeaders } from '../support/lipsyncs.ts';
import { composers, type Subgraph } from './compose.ts';
import { startGateway } from './gateway.ts';
import { type ProjectsSubgraph, startProjectsSubgraph } from './projects-subgraph.ts';

const scopes = ['lipsync:read', 'lipsync:write', 'videos:read'] as const;

/** Two owners, and one caller with read access only. */
const keys = createApiKeys({ first: scopes, second: scopes, reader: ['lipsync:read'] });
export const callers = keys.headers;
export const callersEnv = keys.env;

export type Graph = GraphQLClient & {
  app: TestApp;
  projects: ProjectsSubgraph;
  /** The URL of the gateway. */
  url: string;
  killGateway(): void;
  stop(): Promise<void>;
};

export type GraphOptions = {
  app?: TestAppOptions;
  /** The name of the composer, a key of `composers`. */
  composer?: string;
  /** Variables of `gateway.config.ts`. */
  env?: Record<string, string>;
};

/** Starts our program, another subgraph and a gateway in front of both, composed from their SDLs. Queries go to the gateway. */
export async function startGraph(options: GraphOptions = {}): Promise<Graph> {
  const { composer = 'Hive', env = {} } = options;
  const closers: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    const app = await startTestApp({ ...options.app, env: { ...keys.env, ...options.app?.env } });
    closers.push(app.stop);
    const projects = await startProjectsSubgraph();
    closers.push(projects.close);
    const subgraphs: Subgraph[] = [
      { name: 'lipsync', url: `${app.url}/graphql`, sdl: await readSdl(app) },
      { name: 'projects', url: projects.url, sdl: projects.sdl },
    ];
    const composition = composers[composer]?.(subgraphs);
    if (composition?.supergraph === undefined) {
      throw new Error(`${composer} does not compose: ${composition?.errors.join(' ')}`);
    }
    const gateway = await startGateway({ supergraph: composition.supergraph, env });
    closers.push(gateway.stop);
    return {
      ...createGraphQLClient(gateway.url),
      ...{ app, projects, url: gateway.url, killGateway: gateway.kill, stop },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Reads the SDL as `rover subgraph introspect` and similar tools do. */
async function readSdl(app: TestApp): Promise<string> {
  const { data } = await app.ask<{ _service: { sdl: string } }>(
    '{ _service { sdl } }',
    {},
    callers.first,
  );
  return data?._service.sdl ?? '';
}

/** The id of a finished video that can be a source. */
export async function findSource(graph: Graph): Promise<string> {
  const [id] = await readVideoIds(withHeaders(graph, callers.first));
  if (id === undefined) throw new Error('The graph lists no video.');
  return id;
}
