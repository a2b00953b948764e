import { create } from "zustand";
import { createJSONStorage, persist } from "zustand/middleware";

export type Theme = "light" | "dark" | "system";
export type Language = "en" | "zh-CN";
export type EdgeStyle = "bezier" | "smoothstep" | "straight";

/** What one person likes, kept in this browser. Nothing here belongs to a graph. */
export interface Preferences {
  theme: Theme;
  /** null: what the browser asks for. */
  language: Language | null;
  snap: boolean;
  /** Grid step in canvas units. */
  grid: number;
  minimap: boolean;
  edgeStyle: EdgeStyle;
  /** Weight of the moving average drawn over a loss curve, 0…0.99. */
  smoothing: number;
  logScale: boolean;
  /** Node types pinned in the palette. */
  favourites: string[];
  /** Node types added last, newest first. */
  recent: string[];
  /** Categories of the palette that are folded. */
  folded: string[];
  leftWidth: number;
  rightWidth: number;
  dockHeight: number;
}

export const DEFAULT_PREFERENCES: Preferences = {
  theme: "system",
  language: null,
  snap: false,
  grid: 16,
  minimap: false,
  edgeStyle: "bezier",
  smoothing: 0.9,
  logScale: false,
  favourites: [],
  recent: [],
  folded: [],
  leftWidth: 264,
  rightWidth: 320,
  dockHeight: 240,
};

interface PreferenceStore extends Preferences {
  set<K extends keyof Preferences>(name: K, value: Preferences[K]): void;
  toggle(name: "snap" | "minimap" | "logScale"): void;
  toggleIn(name: "favourites" | "folded", value: string): void;
  /** Remember a node type that was added. */
  used(type: string): void;
}

const RECENT = 12;

export const usePreferences = create<PreferenceStore>()(
  persist(
    (set) => ({
      ...DEFAULT_PREFERENCES,
      set: (name, value) => set({ [name]: value } as Pick<Preferences, typeof name>),
      toggle: (name) => set((state) => ({ [name]: !state[name] })),
      toggleIn: (name, value) =>
        set((state) => ({
          [name]: state[name].includes(value) ? state[name].filter((one) => one !== value) : [...state[name], value],
        })),
      used: (type) =>
        set((state) => ({ recent: [type, ...state.recent.filter((one) => one !== type)].slice(0, RECENT) })),
    }),
    { name: "hcpgraph.preferences", version: 1, storage: createJSONStorage(() => localStorage) },
  ),
);

/** "light" or "dark" as the page should be drawn now. */
export function resolvedTheme(theme: Theme): "light" | "dark" {
  if (theme !== "system") return theme;
  return window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** Keep `data-theme` of the page equal to the preference and to the system; returns the way to stop. */
export function followTheme(): () => void {
  const apply = () => {
    document.documentElement.dataset.theme = resolvedTheme(usePreferences.getState().theme);
  };
  const query = window.matchMedia("(prefers-color-scheme: dark)");
  query.addEventListener("change", apply);
  const stop = usePreferences.subscribe(apply);
  apply();
  return () => {
    query.removeEventListener("change", apply);
    stop();
  };
}
