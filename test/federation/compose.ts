import { composeServices as composeByApollo } from '@apollo/composition';
import { composeServices as composeByGuild } from '@theguild/federation-composition';
import { federateSubgraphs, LATEST_ROUTER_COMPATIBILITY_VERSION } from '@wundergraph/composition';
import { parse } from 'graphql';

export type Subgraph = { name: string; url: string; sdl: string };

type Composition = {
  /** In the format of the join specification. Cosmo's router uses another format. */
  supergraph: string | undefined;
  errors: string[];
};

type Composed = {
  supergraphSdl?: string | undefined;
  errors?: readonly { message: string }[] | undefined;
};

function toComposition({ supergraphSdl, errors }: Composed): Composition {
  return { supergraph: supergraphSdl, errors: errors?.map(({ message }) => message) ?? [] };
}

function toServices(subgraphs: readonly Subgraph[]) {
  return subgraphs.map(({ name, url, sdl }) => ({ name, url, typeDefs: parse(sdl) }));
}

function composeByCosmo(subgraphs: readonly Subgraph[]): Composition {
  const composed = federateSubgraphs({
    subgraphs: subgraphs.map(({ name, url, sdl }) => ({ name, url, definitions: parse(sdl) })),
    version: LATEST_ROUTER_COMPATIBILITY_VERSION,
  });
  return toComposition(composed.success ? {} : { errors: composed.errors });
}

/** The composers, by the name of their schema registry. */
export const composers: Record<string, (subgraphs: readonly Subgraph[]) => Composition> = {
  GraphOS: (subgraphs) => toComposition(composeByApollo(toServices(subgraphs))),
  Hive: (subgraphs) => toComposition(composeByGuild(toServices(subgraphs))),
  Cosmo: composeByCosmo,
};
