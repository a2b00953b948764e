import { act, renderHook } from "@testing-library/react";
import { beforeEach, describe, expect, it } from "vitest";
import type { Opened } from "../api/schema";
import { addNode, collapse, setTitle } from "../graph/edit";
import { emptyGraph } from "../graph/normal";
import { currentDoc, currentPath, newTab, useBody, useDoc, useGraph, useHistory, usePath, useTabs } from "./tabs";

const opened = (name: string | null, title = "T"): Opened => ({
  graph: addNode(emptyGraph(title), [], "pack.thing", { id: "a", at: [0, 0] }).graph,
  text: "",
  hash: "",
  name,
  etag: null,
  problems: [],
});
const names = () => useTabs.getState().tabs.map((tab) => tab.doc.getState().name ?? tab.doc.getState().origin);

beforeEach(() => {
  const tab = newTab();
  useTabs.setState({ tabs: [tab], active: tab.id });
});

describe("tabs", () => {
  it("take the place of an untouched new document, then stand beside each other", () => {
    useTabs.getState().open(opened("one"), "workspace");
    useTabs.getState().open(opened(null), "template");
    expect(names()).toEqual(["one", "template"]);
    const first = useTabs.getState().tabs[0]!.id;
    expect(useTabs.getState().open(opened("one"), "workspace")).toBe(first);
    expect(useTabs.getState().active).toBe(first);
  });

  it("are never none", () => {
    const id = useTabs.getState().open(opened("one"), "workspace");
    useTabs.getState().close(id);
    expect(names()).toEqual(["new"]);
    expect(currentDoc().getState().origin).toBe("new");
  });

  it("show the neighbour of one that is closed, and stay where they are when another is", () => {
    const [a, b, c] = ["a", "b", "c"].map((name) => useTabs.getState().open(opened(name), "workspace"));
    useTabs.getState().activate(b!);
    useTabs.getState().close(a!);
    expect(useTabs.getState().active).toBe(b);
    useTabs.getState().close(b!);
    expect(useTabs.getState().active).toBe(c);
    useTabs.getState().open(opened("d"), "workspace");
    useTabs.getState().reorder(c!, 1);
    expect(names()).toEqual(["d", "c"]);
  });

  it("come back from drafts with the one that was shown", () => {
    const kept = [newTab(), newTab()];
    useTabs.getState().restore(kept, kept[1]!.id);
    expect(useTabs.getState().tabs).toEqual(kept);
    expect(useTabs.getState().active).toBe(kept[1]!.id);
  });
});

describe("hooks", () => {
  it("follow the active document and its edits", () => {
    useTabs.getState().open(opened("one"), "workspace");
    const title = renderHook(() => useDoc((doc) => doc.graph.nodes.a?.title));
    const history = renderHook(() => useHistory());
    const graph = renderHook(() => useGraph());
    act(() => void currentDoc().edit("t.title", (old) => setTitle(old, [], "a", "New")));
    expect(title.result.current).toBe("New");
    expect(history.result.current.undoLabel).toBe("t.title");
    act(() => void useTabs.getState().open(opened("two", "Second"), "workspace"));
    expect(graph.result.current.meta.title).toBe("Second");
    expect(title.result.current).toBeUndefined();
  });

  it("leave a subgraph when undo takes its instance away", () => {
    useTabs.getState().open(opened("one"), "workspace");
    act(() => void currentDoc().edit("t", (graph) => collapse(graph, [], ["a"], { name: "part" }).graph));
    act(() => useTabs.getState().setPath(["part", "nowhere"]));
    const path = renderHook(() => usePath());
    const body = renderHook(() => useBody());
    expect(path.result.current).toEqual(["part"]);
    expect(Object.keys(body.result.current.nodes)).toEqual(["a"]);
    act(() => currentDoc().undo());
    expect(path.result.current).toEqual([]);
    expect(currentPath()).toEqual([]);
    act(() => currentDoc().redo());
    expect(path.result.current).toEqual(["part"]);
  });
});
