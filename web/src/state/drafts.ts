import { delMany, entries, setMany } from "idb-keyval";
import { create } from "zustand";
import { type BodyPath, validPath } from "../graph/body";
import { createDocument, type Doc, isDirty } from "./document";
import { handOverTexts } from "./pending";
import { forgetRescue, readRescues, writeRescue } from "./rescue";
import { newTab, type Tab, useTabs } from "./tabs";
import { alone, livingWindows, windowId, windowNow } from "./windows";

/** Every tab is written to IndexedDB this long after an edit at the latest. */
const DELAY = 500;

/** One tab as it is kept. `window` tells the windows of the browser apart, which share the database. */
export interface Draft {
  window: string;
  id: string;
  doc: Doc;
  path: BodyPath;
  /** Not in drafts of older pages. */
  parts?: readonly string[];
}
export interface WindowState {
  tabs: string[];
  active: string;
}

const TAB = "tab:";
const WINDOW = "window:";
/** A window that is loaded anew needs a moment until its page lives again: its drafts are not those of a dead one. */
const RELOAD = 10_000;
/** A window with nothing of its own looks after drafts that were left behind at once, but not at the same instant. */
const MOMENT = 1500;

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
    const own = await takeOver(id, () => new Set([id]));
    if (own > 0) {
      setTimeout(() => void takeOver(id, orphans).catch(() => undefined), RELOAD);
      return own;
    }
    if ((await orphans(await keptWindows())).size === 0) return 0;
    await new Promise((done) => setTimeout(done, MOMENT));
    return await takeOver(id, orphans);
  } catch {
    useFailure.setState({ failed: true });
    return 0;
  }
}

/** Windows whose pages are gone. */
async function orphans(windows: ReadonlySet<string>): Promise<Set<string>> {
  const alive = await livingWindows();
  return new Set([...windows].filter((one) => !alive.has(one)));
}

/** Windows of which there is something to open. */
async function keptWindows(): Promise<Set<string>> {
  const { drafts } = await kept();
  return new Set(drafts.filter((draft) => tabOf(draft) !== null).map((draft) => draft.window));
}

/** Everything that is kept, with what pages could only save at the last moment. */
async function kept(): Promise<{ windows: Map<string, WindowState>; drafts: Draft[] }> {
  const windows = new Map<string, WindowState>();
  const drafts = new Map<string, Draft>();
  for (const [key, value] of await entries<string, unknown>()) {
    if (key.startsWith(WINDOW)) windows.set(key.slice(WINDOW.length), value as WindowState);
    else if (key.startsWith(TAB)) drafts.set(key.slice(TAB.length), value as Draft);
  }
  for (const [window, rescue] of readRescues()) {
    windows.set(window, rescue.state);
    for (const draft of rescue.drafts) drafts.set(draft.id, draft);
    const open = new Set(rescue.state.tabs);
    for (const [id, draft] of drafts) if (draft.window === window && !open.has(id)) drafts.delete(id);
  }
  return { windows, drafts: [...drafts.values()] };
}

/** Open the tabs of some windows here, in their order, and make them this window's; gives how many there were. */
async function takeOver(
  id: string,
  choose: (windows: ReadonlySet<string>) => Set<string> | Promise<Set<string>>,
): Promise<number> {
  return alone(async () => {
    const { windows, drafts } = await kept();
    const mine = await choose(new Set([...windows.keys(), ...drafts.map((draft) => draft.window)]));
    const order = [...windows].flatMap(([one, state]) => (mine.has(one) ? state.tabs : []));
    const place = (draft: Draft) => (order.includes(draft.id) ? order.indexOf(draft.id) : order.length);
    const tabs = drafts
      .filter((draft) => mine.has(draft.window))
      .sort((a, b) => place(a) - place(b))
      .flatMap((draft) => tabOf(draft) ?? []);
    const left = [...mine].filter((one) => one !== id);
    // What is here already stays in front.
    const active = mine.has(id) ? windows.get(id)?.active : windows.get(left.at(-1) ?? "")?.active;
    if (tabs.length > 0) {
      const { restore, active: now } = useTabs.getState();
      restore(tabs, active ?? null);
      if (restored) useTabs.getState().activate(now);
      restored = true;
    }
    await setMany(tabs.map((tab) => [TAB + tab.id, draftOf(id, tab)]));
    await delMany(left.map((one) => WINDOW + one));
    for (const one of mine) forgetRescue(one);
    return tabs.length;
  });
}
let restored = false;

/** A tab from a draft; null for an empty one, and for one of another version of the page that cannot be read. */
function tabOf({ id, doc, path, parts }: Draft): Tab | null {
  try {
    if (doc.origin === "new" && !isDirty(doc) && Object.keys(doc.graph.nodes).length === 0) return null;
    const store = createDocument(doc);
    return newTab(store, validPath(store.getState().graph, path), id, parts);
  } catch {
    return null;
  }
}

function draftOf(window: string, { id, doc, path, parts }: Tab): Draft {
  return { window, id, doc: doc.getState(), path, parts };
}

/** Write every tab after its edits, for as long as the page lives; a closed tab is forgotten. */
function keepTabs(): void {
  const written = new Map<string, Written>();
  const sure = new Map<string, Written>();
  let watched = new Map<string, () => void>();
  let timer: ReturnType<typeof setTimeout> | null = null;

  const write = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    windowId()
      .then((id) => save(id, written, sure))
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
  const leave = (): void => {
    handOverTexts();
    const id = windowNow();
    if (id !== null) writeRescue(id, { state: stateNow(), drafts: unsure(sure).map((tab) => draftOf(id, tab)) });
    write();
  };
  const watch = (): void => {
    const next = new Map<string, () => void>();
    for (const { id, doc } of useTabs.getState().tabs) {
      next.set(id, watched.get(id) ?? doc.subscribe(soon));
      watched.delete(id);
    }
    for (const stop of watched.values()) stop();
    watched = next;
    soon();
  };
  useTabs.subscribe(watch);
  window.addEventListener("pagehide", leave);
  watch();
}

type Written = Pick<Draft, "doc" | "path" | "parts">;

/** Tabs that are not as they were written. */
function unsure(written: ReadonlyMap<string, Written>): Tab[] {
  return useTabs.getState().tabs.filter((tab) => {
    const last = written.get(tab.id);
    return last?.doc !== tab.doc.getState() || last.path !== tab.path || last.parts !== tab.parts;
  });
}

function stateNow(): WindowState {
  const { tabs, active } = useTabs.getState();
  return { tabs: tabs.map((tab) => tab.id), active };
}

/** Write the tabs that changed since they were written, forget those that were closed. `sure` is what has arrived. */
async function save(id: string, written: Map<string, Written>, sure: Map<string, Written>): Promise<void> {
  const { tabs } = useTabs.getState();
  const changed = unsure(written);
  const closed = [...written.keys()].filter((one) => !tabs.some((tab) => tab.id === one));
  for (const { id: tab, doc, path, parts } of changed) written.set(tab, { doc: doc.getState(), path, parts });
  for (const one of closed) written.delete(one);
  const drafts = changed.map((tab) => draftOf(id, tab));
  await setMany([[WINDOW + id, stateNow()], ...drafts.map((draft): [string, Draft] => [TAB + draft.id, draft])]);
  await delMany(closed.map((one) => TAB + one));
  for (const draft of drafts) sure.set(draft.id, draft);
}
