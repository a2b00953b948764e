import { useCallback, useRef, useSyncExternalStore } from "react";
import { create } from "zustand";
import type { Body, GraphFile, Opened } from "../api/schema";
import { type BodyPath, bodyAt, validPath } from "../graph/body";
import { createDocument, type Doc, type DocStore, docOf, type History, isDirty, type Origin } from "./document";

export interface Tab {
  id: string;
  doc: DocStore;
  /** Instances that were entered; may lead nowhere after an undo, `usePath` gives the part that is there. */
  path: BodyPath;
  /** Ports for bundles ("instance/node.port") whose parts were opened; of nodes that are gone too, for undo. */
  parts: readonly string[];
}
interface TabsStore {
  /** Never empty: closing the last one leaves a new document. */
  tabs: Tab[];
  active: string;
  /** Open in a tab of its own and show it; a graph of the workspace that is open already is only shown. */
  open(opened: Opened, origin: Origin): string;
  /** A new, empty document. */
  openNew(): string;
  /** Put tabs in place of an untouched first one, else behind the others, as from drafts; shows `active`. */
  restore(tabs: Tab[], active: string | null): void;
  close(id: string): void;
  activate(id: string): void;
  /** Move a tab to a place in the row. */
  reorder(id: string, place: number): void;
  /** Enter a body in the active tab; a path that leads nowhere is cut. */
  setPath(path: BodyPath): void;
  /** Open or close the parts of a bundle's port ("instance/node.port") in the active tab. */
  toggleParts(port: string): void;
}

export function newTab(
  doc: DocStore = createDocument(),
  path: BodyPath = [],
  id: string = crypto.randomUUID(),
  parts: readonly string[] = [],
): Tab {
  return { id, doc, path, parts };
}

const first = newTab();

export const useTabs = create<TabsStore>()((set, get) => ({
  tabs: [first],
  active: first.id,
  open: (opened, origin) => {
    const { tabs, active } = get();
    const there = tabs.find(
      ({ doc }) => origin === "workspace" && opened.name !== null && doc.getState().name === opened.name,
    );
    const tab = there ?? newTab(createDocument(docOf(opened, origin)));
    const others = tabs.filter((one) => one === there || !isUntouched(one));
    const place = others.findIndex((one) => one.id === active) + 1 || others.length;
    set({ tabs: there ? tabs : others.toSpliced(place, 0, tab), active: tab.id });
    return tab.id;
  },
  openNew: () => {
    const tab = newTab();
    set({ tabs: [...get().tabs, tab], active: tab.id });
    return tab.id;
  },
  restore: (restored, active) => {
    const [shown] = restored;
    if (!shown) return;
    const tabs = [...get().tabs.filter((tab) => !isUntouched(tab)), ...restored];
    set({ tabs, active: restored.find((tab) => tab.id === active)?.id ?? shown.id });
  },
  close: (id) => {
    const { tabs, active } = get();
    const place = tabs.findIndex((tab) => tab.id === id);
    if (place < 0) return;
    const left = tabs.toSpliced(place, 1);
    if (left.length === 0) left.push(newTab());
    const next = left[Math.min(place, left.length - 1)];
    set({ tabs: left, active: active === id && next ? next.id : active });
  },
  activate: (id) => {
    if (get().tabs.some((tab) => tab.id === id)) set({ active: id });
  },
  reorder: (id, place) => {
    const tab = get().tabs.find((one) => one.id === id);
    if (!tab) return;
    const rest = get().tabs.filter((one) => one !== tab);
    set({ tabs: rest.toSpliced(Math.max(0, place), 0, tab) });
  },
  setPath: (path) => {
    const tab = currentTab();
    const there = validPath(tab.doc.getState().graph, path);
    if (there.join("/") === tab.path.join("/")) return;
    set({ tabs: get().tabs.map((one) => (one === tab ? { ...one, path: there } : one)) });
  },
  toggleParts: (port) => {
    const tab = currentTab();
    const parts = tab.parts.includes(port) ? tab.parts.filter((one) => one !== port) : [...tab.parts, port];
    set({ tabs: get().tabs.map((one) => (one === tab ? { ...one, parts } : one)) });
  },
}));

/** A new document into which nothing was put; opening something takes its place. */
function isUntouched({ doc }: Tab): boolean {
  const state = doc.getState();
  return state.origin === "new" && state.name === null && !doc.canUndo && !doc.canRedo && !isDirty(state);
}

export function currentTab(): Tab {
  const { tabs, active } = useTabs.getState();
  return tabs.find((tab) => tab.id === active) ?? first;
}

/** The document of the active tab, for commands and event handlers. */
export function currentDoc(): DocStore {
  return currentTab().doc;
}

/** Path of the body that the active tab shows, for commands and event handlers. */
export function currentPath(): BodyPath {
  const { doc, path } = currentTab();
  return validPath(doc.getState().graph, path);
}

function useTab(): Tab {
  return useTabs(({ tabs, active }) => tabs.find((tab) => tab.id === active) ?? first);
}

/** Ports for bundles ("instance/node.port") whose parts were opened. */
export function useParts(): readonly string[] {
  return useTab().parts;
}

/** Part of the active document. The selector should give the same object as long as its part is the same. */
export function useDoc<T>(selector: (doc: Doc) => T): T {
  const { doc } = useTab();
  return useSyncExternalStore(doc.subscribe, () => selector(doc.getState()));
}

export function useGraph(): GraphFile {
  return useDoc((doc) => doc.graph);
}

/** Whether nothing is in a graph yet: that is no fault, and there is nothing to run. */
export function isBlank(graph: GraphFile): boolean {
  return Object.keys(graph.nodes).length === 0;
}

/** Path of the body that is shown; as long as it leads somewhere the same array. */
export function usePath(): BodyPath {
  const { path } = useTab();
  const last = useRef<BodyPath>(path);
  return useDoc(
    useCallback(
      (doc: Doc) => {
        const there = validPath(doc.graph, path);
        if (there.join("/") !== last.current.join("/")) last.current = there;
        return last.current;
      },
      [path],
    ),
  );
}

/** The body that is shown. */
export function useBody(): Body {
  const { path } = useTab();
  return useDoc((doc) => bodyAt(doc.graph, validPath(doc.graph, path)));
}

/** What undo and redo would do in the active tab. */
export function useHistory(): History {
  const { doc } = useTab();
  return useSyncExternalStore(doc.subscribe, doc.history);
}

/** Whether the active document differs from what was saved. */
export function useDirty(): boolean {
  return useDoc(isDirty);
}
