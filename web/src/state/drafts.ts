import { delMany, entries, setMany } from "idb-keyval";
import { create } from "zustand";
import { type BodyPath, validPath } from "../graph/body";
import { createDocument, type Doc, isDirty } from "./document";
import { newTab, type Tab, useTabs } from "./tabs";

/** Every tab is written to IndexedDB this long after an edit at the latest. */
const DELAY = 500;

/** One tab as it is kept. `window` tells the windows of the browser apart, which share the database. */
interface Draft {
  window: string;
  id: string;
  doc: Doc;
  path: BodyPath;
}
interface WindowState {
  tabs: string[];
  active: string;
}

const TAB = "tab:";
const WINDOW = "window:";
const LOCK = "hcpgraph-window-";
let thisWindow: Promise<string> | null = null;

const useFailure = create<{ failed: boolean }>()(() => ({ failed: false }));

/** Whether the browser refuses to keep drafts (a private window, a full disk). */
export function useDraftFailure(): boolean {
  return useFailure((state) => state.failed);
}

/**
 * Put the tabs back that this window had before a reload or a crash, and those of windows that are gone; then keep every
 * tab from now on. Called once, at the start of the page; gives the number of tabs that came back. Where the browser
 * keeps nothing the page starts without.
 */
export async function startDrafts(): Promise<number> {
  const restored = await restore();
  keepTabs();
  return restored;
}

async function restore(): Promise<number> {
  try {
    const id = await windowId();
    const { tabs, active, left } = await abandoned(id);
    if (tabs.length > 0) useTabs.getState().restore(tabs, active);
    await setMany(tabs.map((tab) => [TAB + tab.id, draftOf(id, tab)]));
    await delMany(left.map((one) => WINDOW + one));
    return tabs.length;
  } catch {
    useFailure.setState({ failed: true });
    return 0;
  }
}

/** Drafts of this window and of windows without a page, in the order of their tabs. */
async function abandoned(id: string): Promise<{ tabs: Tab[]; active: string | null; left: string[] }> {
  const windows = new Map<string, WindowState>();
  const drafts: Draft[] = [];
  for (const [key, value] of await entries<string, unknown>()) {
    if (key.startsWith(WINDOW)) windows.set(key.slice(WINDOW.length), value as WindowState);
    else if (key.startsWith(TAB)) drafts.push(value as Draft);
  }
  const alive = await livingWindows();
  const mine = (one: string) => one === id || !alive.has(one);
  const order = [...windows].flatMap(([one, state]) => (mine(one) ? state.tabs : []));
  const place = (draft: Draft) => (order.includes(draft.id) ? order.indexOf(draft.id) : order.length);
  const tabs = drafts
    .filter((draft) => mine(draft.window))
    .sort((a, b) => place(a) - place(b))
    .flatMap((draft) => tabOf(draft) ?? []);
  const left = [...windows.keys()].filter((one) => one !== id && mine(one));
  const active = windows.get(id)?.active ?? windows.get(left.at(-1) ?? "")?.active ?? null;
  return { tabs, active, left };
}

/** A tab from a draft; null for an empty one, and for one of another version of the page that cannot be read. */
function tabOf({ id, doc, path }: Draft): Tab | null {
  try {
    if (doc.origin === "new" && !isDirty(doc) && Object.keys(doc.graph.nodes).length === 0) return null;
    const store = createDocument(doc);
    return newTab(store, validPath(store.getState().graph, path), id);
  } catch {
    return null;
  }
}

function draftOf(window: string, { id, doc, path }: Tab): Draft {
  return { window, id, doc: doc.getState(), path };
}

/** Write every tab after its edits, for as long as the page lives; a closed tab is forgotten. */
function keepTabs(): void {
  const written = new Map<string, { doc: Doc; path: BodyPath }>();
  let watched = new Map<string, () => void>();
  let timer: ReturnType<typeof setTimeout> | null = null;

  const write = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    windowId()
      .then((id) => save(id, written))
      .then(
        () => useFailure.setState({ failed: false }),
        () => {
          written.clear(); // nothing is known to be kept: all of it is tried again after the next edit
          useFailure.setState({ failed: true });
        },
      );
  };
  const soon = (): void => {
    timer ??= setTimeout(write, DELAY);
  };
  const watch = (): void => {
    const next = new Map<string, () => void>();
    for (const { id, doc } of useTabs.getState().tabs) {
      next.set(id, watched.get(id) ?? doc.subscribe(soon));
      watched.delete(id);
    }
    for (const leave of watched.values()) leave();
    watched = next;
    soon();
  };
  useTabs.subscribe(watch);
  window.addEventListener("pagehide", write);
  watch();
}

/** Write the tabs that changed since they were written, forget those that were closed. */
async function save(id: string, written: Map<string, { doc: Doc; path: BodyPath }>): Promise<void> {
  const { tabs, active } = useTabs.getState();
  const changed = tabs.filter((tab) => {
    const last = written.get(tab.id);
    return last?.doc !== tab.doc.getState() || last.path !== tab.path;
  });
  const closed = [...written.keys()].filter((one) => !tabs.some((tab) => tab.id === one));
  for (const tab of changed) written.set(tab.id, { doc: tab.doc.getState(), path: tab.path });
  for (const one of closed) written.delete(one);
  const state: WindowState = { tabs: tabs.map((tab) => tab.id), active };
  await setMany([[WINDOW + id, state], ...changed.map((tab): [string, Draft] => [TAB + tab.id, draftOf(id, tab)])]);
  await delMany(closed.map((one) => TAB + one));
}

/**
 * The id of this window, kept over a reload. A lock holds it as long as the page lives, so that others can tell the
 * drafts of an open window from those that a crash left; a duplicated browser tab finds its id taken.
 */
function windowId(): Promise<string> {
  thisWindow ??= claimWindow();
  return thisWindow;
}

async function claimWindow(): Promise<string> {
  const before = sessionStorage.getItem("hcpgraph-window");
  if (before !== null && (await hold(before))) return before;
  const id = crypto.randomUUID();
  await hold(id);
  sessionStorage.setItem("hcpgraph-window", id);
  return id;
}

function hold(id: string): Promise<boolean> {
  if (!navigator.locks) return Promise.resolve(true);
  return new Promise((resolve, reject) => {
    navigator.locks
      .request(LOCK + id, { ifAvailable: true }, (lock) => {
        resolve(lock !== null);
        return lock === null ? undefined : new Promise<void>(() => {});
      })
      .catch(reject);
  });
}

async function livingWindows(): Promise<Set<string>> {
  const state = await navigator.locks?.query();
  return new Set((state?.held ?? []).flatMap(({ name }) => (name?.startsWith(LOCK) ? [name.slice(LOCK.length)] : [])));
}
