/** Edits of a list that its widgets share. None changes the given list. */

export function replaced<T>(items: readonly T[], index: number, ...by: T[]): T[] {
  return [...items.slice(0, index), ...by, ...items.slice(index + 1)];
}

export function removed<T>(items: readonly T[], index: number): T[] {
  return replaced(items, index);
}

/** The item moved by one place; the same list where there is no such place. */
export function moved<T>(items: readonly T[], index: number, by: 1 | -1): T[] {
  const to = index + by;
  const [one, other] = [items[index], items[to]];
  if (one === undefined || other === undefined) return [...items];
  return replaced(replaced(items, index, other), to, one);
}

/** A text of several lines as the lines that mean something: what a paste into one row becomes. */
export function linesOf(text: string): string[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

/**
 * Keys for rows that have none of their own: each row keeps its key while others are added, removed or moved, so that
 * the focus stays where it is. `keys` is what was given out before, changed to fit `count`.
 */
export class RowKeys {
  #next = 0;
  #keys: string[] = [];

  for(count: number): readonly string[] {
    while (this.#keys.length < count) this.#keys.push(this.#fresh());
    this.#keys.length = count;
    return this.#keys;
  }
  removed(index: number): void {
    this.#keys = removed(this.#keys, index);
  }
  moved(index: number, by: 1 | -1): void {
    this.#keys = moved(this.#keys, index, by);
  }
  inserted(index: number, count = 1): void {
    this.#keys.splice(index, 0, ...Array.from({ length: count }, () => this.#fresh()));
  }
  #fresh(): string {
    this.#next += 1;
    return `row-${this.#next}`;
  }
}
