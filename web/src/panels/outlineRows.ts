import type { OutlineNode, OutlineRow } from "../graph/outline";

/** A row of the tree as it is on the screen. */
export interface VisibleRow {
  row: OutlineRow;
  /** 1 for the outermost, as aria-level counts. */
  level: number;
  /** Place among its siblings, from 1, and how many there are. */
  place: number;
  size: number;
  /** null: there is nothing in it. */
  open: boolean | null;
  parent: string | null;
}

/** A region shows what is in it and a node hides its ports, until the person says otherwise. */
export function isOpen(row: OutlineRow, toggled: ReadonlySet<string>): boolean {
  const byItself = row.kind === "node" && row.children.some((child) => child.kind === "node");
  return byItself !== toggled.has(row.key);
}

/** The tree as a list, without what is folded away. */
export function visibleRows(tree: readonly OutlineRow[], toggled: ReadonlySet<string>): VisibleRow[] {
  const rows: VisibleRow[] = [];
  const walk = (children: readonly OutlineRow[], level: number, parent: string | null) => {
    children.forEach((row, index) => {
      const open = row.children.length === 0 ? null : isOpen(row, toggled);
      rows.push({ row, level, place: index + 1, size: children.length, open, parent });
      if (open) walk(row.children, level + 1, row.key);
    });
  };
  walk(tree, 1, null);
  return rows;
}

/** Keys of the rows around a node: they must be open for it to be seen. */
export function pathTo(tree: readonly OutlineRow[], id: string): OutlineNode[] | null {
  for (const row of tree) {
    if (row.kind !== "node") continue;
    if (row.id === id) return [];
    const below = pathTo(row.children, id);
    if (below) return [row, ...below];
  }
  return null;
}

/** Rows whose name begins with what was typed, from the row after `from` on and round again. */
export function typed(
  rows: readonly VisibleRow[],
  from: number,
  letters: string,
  nameOf: (row: OutlineRow) => string,
): number {
  const wanted = letters.toLowerCase();
  // One letter goes on to the next row of that letter; more letters first look at the row that is there.
  const start = letters.length === 1 ? from + 1 : from;
  for (let step = 0; step < rows.length; step += 1) {
    const at = (Math.max(start, 0) + step) % rows.length;
    const row = rows[at]?.row;
    if (row && nameOf(row).toLowerCase().startsWith(wanted)) return at;
  }
  return -1;
}
