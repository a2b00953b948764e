import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Opened } from "../api/schema";
import { addNode, setTitle } from "../graph/edit";
import { emptyGraph } from "../graph/normal";

// The test environment has no IndexedDB; the two tables are a Map here, copied in and out as the browser does.
const table = vi.hoisted(() => new Map<string, unknown>());
const disk = vi.hoisted(() => ({ full: false }));
vi.mock("idb-keyval", () => ({
  entries: async () => structuredClone([...table]),
  setMany: async (all: [string, unknown][]) => {
    if (disk.full) throw new DOMException("full", "QuotaExceededError");
    for (const [key, value] of all) table.set(key, structuredClone(value));
  },
  delMany: async (keys: string[]) => {
    for (const key of keys) table.delete(key);
  },
}));

const opened = (name: string): Opened => ({
  graph: addNode(emptyGraph(name), [], "pack.thing", { id: "a", at: [0, 0] }).graph,
  text: "",
  hash: "",
  name,
  etag: "e",
  problems: [],
});

/** A page that was just loaded: modules with no memory of the one before. */
async function page() {
  vi.resetModules();
  const tabs = await import("./tabs");
  const drafts = await import("./drafts");
  const document = await import("./document");
  return { ...tabs, ...drafts, ...document };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  table.clear();
  disk.full = false;
  sessionStorage.clear();
  localStorage.clear();
});
afterEach(() => {
  vi.useRealTimers();
});

it("brings every tab back as it was within a second of the last edit", async () => {
  const before = await page();
  expect(await before.startDrafts()).toBe(0);
  before.useTabs.getState().open(opened("one"), "workspace");
  before.useTabs.getState().open(opened("two"), "workspace");
  before.useTabs.getState().activate(before.useTabs.getState().tabs[0]!.id);
  before.currentDoc().edit("t", (graph) => setTitle(graph, [], "a", "Edited"));
  await vi.advanceTimersByTimeAsync(1000);
  before.useTabs.getState().toggleParts("a.model");
  await vi.advanceTimersByTimeAsync(1000);

  const after = await page();
  expect(await after.startDrafts()).toBe(2);
  expect(after.useTabs.getState().tabs.map((tab) => tab.doc.getState().name)).toEqual(["one", "two"]);
  const doc = after.currentDoc().getState();
  expect([doc.name, doc.etag, doc.graph.nodes.a?.title, after.isDirty(doc)]).toEqual(["one", "e", "Edited", true]);
  const other = after.useTabs.getState().tabs[1]!.doc.getState();
  expect(after.isDirty(other)).toBe(false);
  expect(after.useTabs.getState().tabs.map((tab) => tab.parts)).toEqual([["a.model"], []]);
});

it("forgets a tab that was closed", async () => {
  const before = await page();
  await before.startDrafts();
  const one = before.useTabs.getState().open(opened("one"), "workspace");
  before.useTabs.getState().open(opened("two"), "workspace");
  await vi.advanceTimersByTimeAsync(1000);
  before.useTabs.getState().close(one);
  await vi.advanceTimersByTimeAsync(1000);
  const after = await page();
  expect(await after.startDrafts()).toBe(1);
  expect(after.currentDoc().getState().name).toBe("two");
});

it("says when the browser keeps nothing, and tries again", async () => {
  const { renderHook, act } = await import("@testing-library/react");
  const here = await page();
  await here.startDrafts();
  const failed = renderHook(() => here.useDraftFailure());
  disk.full = true;
  here.useTabs.getState().open(opened("one"), "workspace");
  await act(() => vi.advanceTimersByTimeAsync(1000));
  expect(failed.result.current).toBe(true);
  disk.full = false;
  here.currentDoc().edit("t", (graph) => setTitle(graph, [], "a", "Edited"));
  await act(() => vi.advanceTimersByTimeAsync(1000));
  expect(failed.result.current).toBe(false);
  expect([...table.keys()].filter((key) => key.startsWith("tab:")).length).toBeGreaterThan(0);
});

it("has what was typed or chosen just before the page went away, also where the database was not reached any more", async () => {
  const before = await page();
  const { keepsText } = await import("./pending");
  await before.startDrafts();
  before.useTabs.getState().open(opened("one"), "workspace");
  const two = before.useTabs.getState().open(opened("two"), "workspace");
  await vi.advanceTimersByTimeAsync(1000);
  disk.full = true;
  before.useTabs.getState().activate(before.useTabs.getState().tabs[0]!.id);
  keepsText(() => before.currentDoc().edit("t", (graph) => setTitle(graph, [], "a", "Half a word")));
  before.useTabs.getState().close(two);
  window.dispatchEvent(new Event("pagehide"));
  await vi.advanceTimersByTimeAsync(1000);

  disk.full = false;
  const after = await page();
  expect(await after.startDrafts()).toBe(1);
  const doc = after.currentDoc().getState();
  expect([doc.name, doc.graph.nodes.a?.title, after.isDirty(doc)]).toEqual(["one", "Half a word", true]);
  await vi.advanceTimersByTimeAsync(1000);
  expect(localStorage.getItem(`hcpgraph.rescue.${sessionStorage.getItem("hcpgraph-window")}`)).toBeNull();
});

it("leaves the drafts of a window alone that is just loaded anew, and takes those of one that is gone", async () => {
  const held: string[] = [];
  const locks = {
    request: async (name: string, options: unknown, work?: (lock: unknown) => unknown) => {
      const run = (work ?? options) as (lock: unknown) => unknown;
      if (work === undefined) return run({});
      if (held.includes(name)) return run(null);
      held.push(name);
      return run({});
    },
    query: async () => ({ held: held.map((name) => ({ name })) }),
  };
  vi.stubGlobal("navigator", { ...navigator, locks });
  const inWindow = async (id: string) => {
    sessionStorage.setItem("hcpgraph-window", id);
    return page();
  };
  const first = await inWindow("first");
  await first.startDrafts();
  first.useTabs.getState().open(opened("one"), "workspace");
  await vi.advanceTimersByTimeAsync(1000);
  const second = await inWindow("second");
  await second.startDrafts();
  second.useTabs.getState().open(opened("two"), "workspace");
  await vi.advanceTimersByTimeAsync(1000);

  held.length = 0; // both pages are gone; the first comes back a little before the second
  const again = await inWindow("first");
  expect(await again.startDrafts()).toBe(1);
  const other = await inWindow("second");
  expect(await other.startDrafts()).toBe(1);
  expect(other.currentDoc().getState().name).toBe("two");
  await vi.advanceTimersByTimeAsync(20_000);
  const names = (tabs: typeof again.useTabs) => tabs.getState().tabs.map((tab) => tab.doc.getState().name);
  expect([names(again.useTabs), names(other.useTabs)]).toEqual([["one"], ["two"]]);

  held.length = 0; // the second stays away
  const last = await inWindow("first");
  await last.startDrafts();
  await vi.advanceTimersByTimeAsync(20_000);
  expect(names(last.useTabs)).toEqual(["one", "two"]);
  expect(last.currentDoc().getState().name).toBe("one");
  vi.unstubAllGlobals();
});
