import { type Change, CriticalityLevel, DiffRule, diff } from '@graphql-inspector/core';
import { buildASTSchema, type GraphQLSchema, parse } from 'graphql';

export type Level = 'breaking' | 'dangerous' | 'compatible';

export type Finding = {
  level: Level;
  /** A coordinate such as `Query.lipsync` or `Video.@key`. */
  path: string;
  message: string;
};

/** For a gateway, as much of the contract as a field is for a client; GraphQL Inspector takes directives lightly. */
const contractChanges = [
  /_REMOVED .*\.@(key|shareable)$/,
  /_ADDED .*\.@(oneOf|inaccessible)$/,
  // Other fields, or no longer resolvable.
  / .*\.@key\./,
];

/** What is different for those who use the schema. Descriptions and the definitions of directives are not. */
export async function findChanges(released: string, current: string): Promise<Finding[]> {
  const rules = [DiffRule.ignoreDescriptionChanges, DiffRule.simplifyChanges];
  const changes = await diff(toSchema(released), toSchema(current), rules);
  return changes
    .filter(({ path = '' }) => !path.startsWith('@') && !path.includes('@link'))
    .map((change) => ({
      level: levelOf(change),
      // Of the schema itself: which of its types is the one to begin with.
      path: change.path || 'schema',
      message: change.message,
    }));
}

/**
 * Those that break somebody and of whom the changelog doesn't warn: its first section, which is of what is not released
 * yet, must have the path in backticks.
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
