import { create } from "zustand";
import type { DialogKind, DialogKinds } from "../dialogs/kinds";
import { drawnId } from "../graph/body";
import { currentDoc, useTabs } from "./tabs";

export type DockTab = "problems" | "data" | "runs" | "loss" | "gallery" | "log";
export type LeftTab = "palette" | "outline" | "files";
export type ViewMode = "graph" | "form";

/** Search-to-add, opened at a place; with `filter` when a wire was dropped on empty canvas. */
export interface SearchRequest {
  /** Where the panel opens, in pixels of the window. */
  at: [number, number];
  /** Where the node goes, in canvas units. */
  canvas: [number, number];
  /** `side` is what the held end is: a "source" looks for nodes with a fitting target port. */
  filter?: { type: string; side: "source" | "target"; address: string };
  /** Region that the place lies in. */
  inside?: string | null;
  /** Wire (its target) that the new node is spliced into. */
  splice?: string;
}

/** The dialog that is open; `dialogs/` renders it and calls `onClose` with its answer. */
export interface OpenDialog<K extends DialogKind = DialogKind> {
  id: number;
  kind: K;
  props: DialogKinds[K]["props"];
  onClose: (result: DialogKinds[K]["result"]) => void;
}

/** Drawn by ui/Toast. */
export interface ToastMessage {
  id: string;
  tone: "info" | "ok" | "warn" | "error";
  title: string;
  body?: string;
  action?: { label: string; run: () => void };
}

/** Where the canvas should look; `at` rises with each wish so that the same node can be asked for twice. */
export interface FocusWish {
  node: string;
  port?: string;
  at: number;
}

export interface Session {
  /** Node ids of the active body. */
  selection: ReadonlySet<string>;
  /** Wires of the active body, by target. */
  selectedEdges: ReadonlySet<string>;
  setSelection(nodes: Iterable<string>, edges?: Iterable<string>): void;
  dock: { open: boolean; tab: DockTab };
  left: { open: boolean; tab: LeftTab };
  right: { open: boolean };
  view: ViewMode;
  showDock(tab: DockTab): void;
  toggleDock(): void;
  showLeft(tab: LeftTab): void;
  toggleLeft(): void;
  toggleRight(): void;
  setView(view: ViewMode): void;
  search: SearchRequest | null;
  openSearch(request: SearchRequest): void;
  closeSearch(): void;
  /** The command palette. */
  palette: boolean;
  setPalette(open: boolean): void;
  dialog: OpenDialog | null;
  openDialog<K extends DialogKind>(kind: K, props: DialogKinds[K]["props"]): Promise<DialogKinds[K]["result"]>;
  focus: FocusWish | null;
  /** Jump: enter the body of a flat id, select the node, centre it. */
  focusNode(flat: string, port?: string): void;
  toasts: ToastMessage[];
  /** Say something short; the same title replaces the one before. */
  toast(tone: ToastMessage["tone"], title: string, more?: Pick<ToastMessage, "body" | "action">): void;
  dismiss(id: string): void;
  /** Narrower than 768 px: the graph is read-only and the panels are pages. */
  compact: boolean;
  setCompact(compact: boolean): void;
}

const TOASTS = 4;
/** A window of this width has room for all panels beside a graph; a narrower one begins without the inspector. */
const ROOMY = 1440;
let counter = 0;

/** What this page shows now: never saved, never undone. */
export const useSession = create<Session>()((set, get) => ({
  selection: new Set(),
  selectedEdges: new Set(),
  setSelection: (nodes, edges = []) => {
    const [next, wires] = [new Set(nodes), new Set(edges)];
    const { selection, selectedEdges } = get();
    if (!same(selection, next) || !same(selectedEdges, wires)) set({ selection: next, selectedEdges: wires });
  },
  dock: { open: false, tab: "problems" },
  left: { open: true, tab: "palette" },
  right: { open: window.innerWidth >= ROOMY },
  view: "graph",
  showDock: (tab) => set({ dock: { open: true, tab } }),
  toggleDock: () => set(({ dock }) => ({ dock: { ...dock, open: !dock.open } })),
  showLeft: (tab) => set({ left: { open: true, tab } }),
  toggleLeft: () => set(({ left }) => ({ left: { ...left, open: !left.open } })),
  toggleRight: () => set(({ right }) => ({ right: { open: !right.open } })),
  setView: (view) => set({ view }),
  search: null,
  openSearch: (request) => set({ search: request }),
  closeSearch: () => set({ search: null }),
  palette: false,
  setPalette: (open) => set({ palette: open }),
  dialog: null,
  openDialog: (kind, props) =>
    new Promise((resolve) => {
      // one at a time: the one that was open ends without an answer
      get().dialog?.onClose(null);
      const id = ++counter;
      const onClose = (result: DialogKinds[typeof kind]["result"]) => {
        if (get().dialog?.id === id) set({ dialog: null });
        resolve(result);
      };
      set({ dialog: { id, kind, props, onClose } as OpenDialog });
    }),
  focus: null,
  focusNode: (flat, port) => {
    const path = drawnId(currentDoc().getState().graph, flat).split("/");
    const node = path.pop() ?? flat;
    useTabs.getState().setPath(path);
    set({ view: "graph", selection: new Set([node]), selectedEdges: new Set(), focus: { node, port, at: ++counter } });
  },
  toasts: [],
  toast: (tone, title, more) =>
    set(({ toasts }) => ({
      toasts: [...toasts.filter((one) => one.title !== title), { id: `${++counter}`, tone, title, ...more }].slice(
        -TOASTS,
      ),
    })),
  dismiss: (id) => set(({ toasts }) => ({ toasts: toasts.filter((one) => one.id !== id) })),
  compact: false,
  setCompact: (compact) => set({ compact }),
}));

function same(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((one) => b.has(one));
}

/** A selection belongs to one body: entering another one, or another tab, starts empty. Returns the way to stop. */
export function followTabs(): () => void {
  const place = () => {
    const { tabs, active } = useTabs.getState();
    return `${active}:${tabs.find((one) => one.id === active)?.path.join("/") ?? ""}`;
  };
  let last = place();
  return useTabs.subscribe(() => {
    const now = place();
    if (now === last) return;
    last = now;
    const { setSelection, closeSearch } = useSession.getState();
    closeSearch();
    setSelection([]);
  });
}
