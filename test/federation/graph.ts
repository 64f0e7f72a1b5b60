import { createApiKeys } from '../support/api-keys.ts';
import { startTestApp, type TestApp, type TestAppOptions } from '../support/app.ts';
import { createGraphQLClient, type GraphQLClient } from '../support/graphql-client.ts';
import { composers, type Subgraph } from './compose.ts';
import { startGateway } from './gateway.ts';
import { type Neighbour, startNeighbour } from './projects-subgraph.ts';

const scopes = ['lipsync:read', 'lipsync:write', 'videos:read'] as const;

/** Two callers who own different things, and one who may only look. */
const keys = createApiKeys({ first: scopes, second: scopes, reader: ['lipsync:read'] });
export const callers = keys.headers;
export const callersEnv = keys.env;

export type Graph = GraphQLClient & {
  app: TestApp;
  neighbour: Neighbour;
  /** Of the gateway. */
  url: string;
  killGateway(): void;
  stop(): Promise<void>;
};

export type GraphOptions = {
  app?: TestAppOptions;
  /** Who composes. */
  composer?: string;
  /** Variables of `gateway.config.ts`. */
  env?: Record<string, string>;
};

/** Our program, a neighbour, and a gateway before both, with the SDL that each of them tells. Asks are of the gateway. */
export async function startGraph(options: GraphOptions = {}): Promise<Graph> {
  const { composer = 'Hive', env = {} } = options;
  const closers: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    const app = await startTestApp({ ...options.app, env: { ...keys.env, ...options.app?.env } });
    closers.push(app.stop);
    const neighbour = await startNeighbour();
    closers.push(neighbour.close);
    const subgraphs: Subgraph[] = [
      { name: 'lipsync', url: `${app.url}/graphql`, sdl: await readSdl(app) },
      { name: 'projects', url: neighbour.url, sdl: neighbour.sdl },
    ];
    const composition = composers[composer]?.(subgraphs);
    if (composition?.supergraph === undefined) {
      throw new Error(`${composer} does not compose: ${composition?.errors.join(' ')}`);
    }
    const gateway = await startGateway({ supergraph: composition.supergraph, env });
    closers.push(gateway.stop);
    return {
      ...createGraphQLClient(gateway.url),
      ...{ app, neighbour, url: gateway.url, killGateway: gateway.kill, stop },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What a registry would be given by `rover subgraph introspect` and its like. */
async function readSdl(app: TestApp): Promise<string> {
  const { data } = await app.ask<{ _service: { sdl: string } }>(
    '{ _service { sdl } }',
    {},
    callers.first,
  );
  return data?._service.sdl ?? '';
}

/** The id of a finished video that may be used. */
export async function findSource({ ask }: Pick<Graph, 'ask'>): Promise<string> {
  const { data } = await ask<{ videos: { nodes: { id: string }[] } }>(
    '{ videos(filter: { status: [COMPLETED] }) { ... on VideoConnection { nodes { id } } } }',
    {},
    callers.first,
  );
  const [video] = data?.videos.nodes ?? [];
  if (video === undefined) throw new Error('The graph lists no video.');
  return video.id;
}
