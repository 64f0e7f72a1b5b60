import type { GraphQLError, ResponsePath } from 'graphql';

type Position = ResponsePath | undefined;

/** The errors of one execution. Errors below a position that an earlier error has set to null are not part of the result. */
export class CollectedErrors {
  readonly errors: GraphQLError[] = [];
  readonly #nulled = new Set<Position>();

  add(error: GraphQLError, path: Position): void {
    if (this.#isNulled(path)) return;
    this.#nulled.add(path);
    this.errors.push(error);
  }

  #isNulled(start: Position): boolean {
    for (let path = start; path !== undefined; path = path.prev) {
      if (this.#nulled.has(path)) return true;
    }
    return this.#nulled.has(undefined);
  }
}
