/**
 * Names for the texts of prepared statements. A migration by an instance of a newer version can change the columns that a
 * statement returns; PostgreSQL then rejects every later use of its name. `renew` gives new names to all, on all connections.
 */
export class StatementNames {
  readonly #names = new Map<string, string>();
  #count = 0;

  nameOf(text: string): string {
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    this.#count += 1;
    const name = `lipsync_${this.#count}`;
    this.#names.set(text, name);
    return name;
  }

  renew(): void {
    this.#names.clear();
  }
}
