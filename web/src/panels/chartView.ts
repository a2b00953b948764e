import { create } from "zustand";

export type View = readonly [from: number, to: number];

interface ChartView {
  /** Steps in sight; null: all. */
  view: View | null;
  /** "node.name" of series that are switched off. */
  hidden: ReadonlySet<string>;
  table: boolean;
  /** A step that somebody asked to see, such as the one of a picture. */
  revealed: number | null;
  setView(view: View | null): void;
  toggle(name: string): void;
  setTable(table: boolean): void;
  reveal(step: number | null): void;
}

/** How the chart is looked at: outlives a change of the dock's tab. */
export const useChartView = create<ChartView>()((set) => ({
  view: null,
  hidden: new Set(),
  table: false,
  revealed: null,
  setView: (view) => set({ view }),
  toggle: (name) =>
    set(({ hidden }) => {
      const next = new Set(hidden);
      if (!next.delete(name)) next.add(name);
      return { hidden: next };
    }),
  setTable: (table) => set({ table }),
  reveal: (step) => set({ revealed: step, view: null, table: false }),
}));

/** Look at a part that is `factor` as long, around the middle of the present one; all of it if that is no longer less. */
export function zoomed(view: View | null, all: View, factor: number): View | null {
  const [from, to] = view ?? all;
  const half = ((to - from) * factor) / 2;
  const middle = (from + to) / 2;
  return fitted([middle - half, middle + half], all);
}

/** Move by a share of what is in sight, no further than the ends. */
export function moved(view: View | null, all: View, share: number): View | null {
  if (view === null) return null;
  const length = view[1] - view[0];
  const from = Math.min(all[1] - length, Math.max(all[0], view[0] + length * share));
  return [from, from + length];
}

function fitted([from, to]: View, all: View): View | null {
  if (to - from >= all[1] - all[0]) return null;
  const length = Math.max(to - from, 1);
  const begin = Math.min(all[1] - length, Math.max(all[0], from));
  return [begin, begin + length];
}
