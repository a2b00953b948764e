import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Opened } from "../api/schema";
import { addNode, moveNodes, setTitle } from "../graph/edit";
import { EditError } from "../graph/error";
import { emptyGraph } from "../graph/normal";
import { createDocument, docOf, GROUP_MILLISECONDS, isDirty, onEditError } from "./document";

const opened = (name: string | null): Opened => ({
  graph: addNode(emptyGraph("Opened"), [], "pack.thing", { id: "a", at: [0, 0] }).graph,
  text: "",
  hash: "",
  name,
  etag: name === null ? null : "e1",
  problems: [],
});
const fresh = () => createDocument(docOf(opened("work"), "workspace"));
const title = (words: string) => (graph: Opened["graph"]) => setTitle(graph, [], "a", words);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("undo", () => {
  it("takes back one edit at a time and brings it again, with its name", () => {
    const doc = fresh();
    const start = doc.getState().graph;
    doc.edit("t.one", title("1"));
    doc.edit("t.two", title("2"));
    expect([doc.canUndo, doc.undoLabel, doc.canRedo, doc.redoLabel]).toEqual([true, "t.two", false, null]);
    doc.undo();
    expect([doc.undoLabel, doc.redoLabel]).toEqual(["t.one", "t.two"]);
    doc.undo();
    expect(doc.getState().graph).toBe(start);
    expect(doc.canUndo).toBe(false);
    doc.undo();
    doc.redo();
    doc.redo();
    doc.redo();
    expect(doc.getState().graph.nodes.a?.title).toBe("2");
  });

  it("knows no step for an edit that changes nothing", () => {
    const doc = fresh();
    doc.edit("t.none", (graph) => graph);
    doc.edit("t.same", title(""));
    expect(doc.canUndo).toBe(false);
  });

  it("takes a drag as one step, from its beginning to its end", () => {
    const doc = fresh();
    for (let x = 1; x <= 20; x += 1) {
      doc.edit("t.move", (graph) => moveNodes(graph, [], new Map([["a", [x, 0]]])), "drag");
      vi.advanceTimersByTime(50);
    }
    doc.endGroup();
    doc.edit("t.move", (graph) => moveNodes(graph, [], new Map([["a", [99, 0]]])), "drag");
    doc.undo();
    expect(doc.getState().graph.view.nodes?.a).toEqual([20, 0]);
    doc.undo();
    expect(doc.getState().graph.view.nodes?.a).toEqual([0, 0]);
  });

  it("ends a group after a pause, and at an edit of another one", () => {
    const doc = fresh();
    doc.edit("t", title("a"), "words");
    vi.advanceTimersByTime(GROUP_MILLISECONDS - 1);
    doc.edit("t", title("ab"), "words");
    vi.advanceTimersByTime(GROUP_MILLISECONDS);
    doc.edit("t", title("abc"), "words");
    doc.edit("t", title("abcd"), "others");
    doc.undo();
    expect(doc.getState().graph.nodes.a?.title).toBe("abc");
    doc.undo();
    expect(doc.getState().graph.nodes.a?.title).toBe("ab");
    doc.undo();
    expect(doc.canUndo).toBe(false);
  });

  it("forgets what could be made again when something else is done", () => {
    const doc = fresh();
    doc.edit("t", title("1"));
    doc.undo();
    doc.edit("t", title("2"), "group");
    expect(doc.canRedo).toBe(false);
  });
});

describe("a document", () => {
  it("is dirty while it differs from what was saved, undo included", () => {
    const doc = fresh();
    expect(isDirty(doc.getState())).toBe(false);
    doc.edit("t", title("1"));
    expect(isDirty(doc.getState())).toBe(true);
    doc.undo();
    expect(isDirty(doc.getState())).toBe(false);
    doc.redo();
    doc.mark({ ...opened("other"), etag: "e2" });
    expect(isDirty(doc.getState())).toBe(false);
    expect([doc.getState().name, doc.getState().etag, doc.canUndo]).toEqual(["other", "e2", true]);
    doc.undo();
    expect(isDirty(doc.getState())).toBe(true);
  });

  it("stays dirty when it was edited while it was being saved", () => {
    const doc = fresh();
    doc.edit("t", title("1"));
    const sent = doc.getState().graph;
    doc.edit("t", title("2"));
    doc.mark(opened("work"), sent);
    expect(isDirty(doc.getState())).toBe(true);
  });

  it("has a place in the workspace only if it comes from there", () => {
    expect(docOf(opened("quickstart/x"), "template").name).toBeNull();
    expect(docOf(opened("mine"), "workspace").name).toBe("mine");
  });

  it("refuses edits when it is read only", () => {
    const doc = createDocument({ ...docOf(opened(null), "run"), readOnly: true });
    expect(doc.edit("t", title("1"))).toBe(false);
    expect(doc.getState().graph.nodes.a?.title).toBeUndefined();
  });

  it("tells why an edit was refused, and hides no mistake of the program", () => {
    const doc = fresh();
    const heard: string[] = [];
    const stop = onEditError((error) => heard.push(error.key));
    const refuse = () => {
      throw new EditError("E_ID", "graph.error.taken");
    };
    expect(doc.edit("t", refuse)).toBe(false);
    expect(heard).toEqual(["graph.error.taken"]);
    stop();
    expect(() => doc.edit("t", refuse)).toThrow(EditError);
    expect(() =>
      doc.edit("t", () => {
        throw new TypeError("bug");
      }),
    ).toThrow(TypeError);
    expect(doc.canUndo).toBe(false);
  });

  it("tells its watchers of every change and forgets its history when it is replaced", () => {
    const doc = fresh();
    let calls = 0;
    doc.subscribe(() => {
      calls += 1;
    });
    const before = doc.history();
    doc.edit("t", title("1"));
    expect(doc.history()).not.toBe(before);
    expect(doc.history()).toBe(doc.history());
    doc.replace({ ...opened("work"), etag: "e9" });
    expect([calls, doc.canUndo, doc.getState().etag, isDirty(doc.getState())]).toEqual([2, false, "e9", false]);
  });
});
