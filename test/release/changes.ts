import { type Change, CriticalityLevel, DiffRule, diff } from '@graphql-inspector/core';
import { buildASTSchema, type GraphQLSchema, parse } from 'graphql';

export type Level = 'breaking' | 'dangerous' | 'compatible';

export type Finding = {
  level: Level;
  /** A coordinate such as `Query.lipsync` or `Video.@key`. */
  path: string;
  message: string;
};

/** Part of the contract with a gateway; GraphQL Inspector does not treat these directives as breaking. */
const contractChanges = [
  /_REMOVED .*\.@(key|shareable)$/,
  /_ADDED .*\.@(oneOf|inaccessible)$/,
  // Different fields, or no longer resolvable.
  / .*\.@key\./,
];

/** The changes that affect clients and gateways. Descriptions and definitions of directives do not. */
export async function findChanges(released: string, current: string): Promise<Finding[]> {
  const rules = [DiffRule.ignoreDescriptionChanges, DiffRule.simplifyChanges];
  const changes = await diff(toSchema(released), toSchema(current), rules);
  return changes
    .filter(({ path = '' }) => !path.startsWith('@') && !path.includes('@link'))
    .map((change) => ({
      level: levelOf(change),
      // A change of the schema definition itself, such as the name of the query type.
      path: change.path || 'schema',
      message: change.message,
    }));
}

/**
 * The breaking changes that the changelog does not name: its first section, of unreleased changes,
 * must contain the path in backticks.
 */
export function findUnnamed(findings: readonly Finding[], changelog: string): Finding[] {
  const [, unreleased = ''] = changelog.split(/^## /m);
  return findings.filter(
    ({ level, path }) => level === 'breaking' && !unreleased.includes(`\`${path}\``),
  );
}

function toSchema(sdl: string): GraphQLSchema {
  // The directives of federation are imported, not defined.
  return buildASTSchema(parse(sdl), { assumeValidSDL: true });
}

function levelOf({ type, path, criticality }: Change): Level {
  const isContract = contractChanges.some((pattern) => pattern.test(`${type} ${path}`));
  if (isContract || criticality.level === CriticalityLevel.Breaking) return 'breaking';
  return criticality.level === CriticalityLevel.Dangerous ? 'dangerous' : 'compatible';
}
