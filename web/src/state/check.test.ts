import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Check, GraphFile } from "../api/schema";
import { addNode, moveNodes, setTitle } from "../graph/edit";
import { emptyGraph } from "../graph/normal";
import { problemsOf, recheck, startChecking, useCheck } from "./check";
import { createDocument } from "./document";
import { newTab, useTabs } from "./tabs";

// The server itself is tested in tests/server; here its answers are held back to see what the page makes of their order.

interface Asked {
  route: string;
  graph: GraphFile;
  aborted: () => boolean;
  answer: (body: unknown, status?: number) => Promise<void>;
}
let asked: Asked[] = [];
let stop: () => void = () => {};
const checkOf = (problems: Check["problems"] = []): Check => ({
  ok: problems.length === 0,
  hash: null,
  problems,
  ports: { "a.out": "Noise" },
  once: [],
  facts: {},
});
const open = (graph: GraphFile) => {
  const tab = newTab(createDocument({ graph, origin: "workspace", name: crypto.randomUUID() }));
  useTabs.setState({ tabs: [...useTabs.getState().tabs, tab], active: tab.id });
  return tab.doc;
};
const node = (id: string) => addNode(emptyGraph(), [], "pack.thing", { id, at: [0, 0] }).graph;
const routes = () => asked.map((one) => one.route);

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  vi.stubGlobal("fetch", (url: string, init: RequestInit) => {
    return new Promise((resolve, reject) => {
      init.signal?.addEventListener("abort", () => reject(new DOMException("stopped", "AbortError")));
      asked.push({
        route: url,
        graph: (JSON.parse(String(init.body)) as { graph: GraphFile }).graph,
        aborted: () => init.signal?.aborted ?? false,
        answer: async (body, status = 200) => {
          resolve(new Response(JSON.stringify(body), { status }));
          await vi.advanceTimersByTimeAsync(0);
        },
      });
    });
  });
  open(node("a"));
  stop = startChecking();
});
afterEach(() => {
  stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("checking", () => {
  it("asks a moment after the last edit, then what would run", async () => {
    const doc = open(node("b"));
    await vi.advanceTimersByTimeAsync(100);
    doc.edit("t", (graph) => addNode(graph, [], "pack.thing", { at: [0, 0] }).graph);
    await vi.advanceTimersByTimeAsync(149);
    expect(asked).toEqual([]);
    expect(useCheck.getState().pending).toBe(true);
    await vi.advanceTimersByTimeAsync(1);
    expect(routes()).toEqual(["/api/check"]);
    expect(Object.keys(asked[0]!.graph.nodes).length).toBe(2);
    await vi.advanceTimersByTimeAsync(450);
    expect(routes()).toEqual(["/api/check", "/api/plan"]);
    await asked[0]!.answer(checkOf());
    await asked[1]!.answer({ ok: true, targets: [], nodes: [], problems: [] });
    expect([useCheck.getState().pending, useCheck.getState().check?.ok, useCheck.getState().plan?.ok]).toEqual([
      false,
      true,
      true,
    ]);
  });

  it("lets the last question win", async () => {
    const doc = open(node("c"));
    await vi.advanceTimersByTimeAsync(150);
    doc.edit("t", (graph) => addNode(graph, [], "pack.more", { at: [0, 0] }).graph);
    expect(asked[0]!.aborted()).toBe(true);
    await vi.advanceTimersByTimeAsync(150);
    await asked[1]!.answer(checkOf([{ code: "E_TYPE", message: "m", severity: "error" }]));
    expect(useCheck.getState().check?.problems[0]?.code).toBe("E_TYPE");
    expect(useCheck.getState().graph).toBe(doc.getState().graph);
  });

  it("asks nothing when a box is moved, and nothing again when undo comes back to a known graph", async () => {
    const doc = open(node("d"));
    await vi.advanceTimersByTimeAsync(700);
    await asked[0]!.answer(checkOf());
    await asked[1]!.answer({ ok: true, targets: [], nodes: [], problems: [] });
    doc.edit("t", (graph) => moveNodes(graph, [], new Map([["d", [9, 9]]])));
    await vi.advanceTimersByTimeAsync(1000);
    expect(asked.length).toBe(2);
    doc.edit("t", (graph) => setTitle(graph, [], "d", "Titles are shown in messages"));
    doc.undo();
    expect(useCheck.getState().pending).toBe(false);
    await vi.advanceTimersByTimeAsync(1000);
    expect(asked.length).toBe(2);
    recheck();
    await vi.advanceTimersByTimeAsync(150);
    expect(asked.length).toBe(3);
  });

  it("shows what a malformed document has wrong, and keeps the types it knew", async () => {
    const doc = open(node("e"));
    await vi.advanceTimersByTimeAsync(150);
    await asked[0]!.answer(checkOf());
    doc.edit("t", (graph) => addNode(graph, [], "pack.more", { at: [0, 0] }).graph);
    await vi.advanceTimersByTimeAsync(150);
    await asked[1]!.answer({ problems: [{ code: "E_FIELD", message: "m", severity: "error" }] }, 422);
    const { check, failed } = useCheck.getState();
    expect([check?.ok, check?.problems[0]?.code, check?.ports["a.out"], failed]).toEqual([
      false,
      "E_FIELD",
      "Noise",
      null,
    ]);
  });

  it("says nothing about another document before its own answer is there", async () => {
    open(node("g"));
    await vi.advanceTimersByTimeAsync(150);
    await asked[0]!.answer(checkOf());
    open(node("h"));
    expect([useCheck.getState().check, useCheck.getState().pending]).toEqual([null, true]);
  });

  it("says when the server cannot be asked", async () => {
    open(node("f"));
    await vi.advanceTimersByTimeAsync(150);
    await asked[0]!.answer({ problems: [{ code: "E_TOKEN", message: "m", severity: "error" }] }, 401);
    expect([useCheck.getState().failed?.status, useCheck.getState().pending]).toEqual([401, false]);
  });
});

describe("problemsOf", () => {
  it("counts what is inside of an instance for the instance, errors first", () => {
    const check = checkOf([
      { code: "W_STREAM", message: "w", node: "inst/noise", severity: "warning" },
      { code: "E_TYPE", message: "e", node: "inst/deep/x", severity: "error" },
      { code: "E_FIELD", message: "of the file", severity: "error" },
    ]);
    expect(problemsOf("inst", check).map((problem) => problem.code)).toEqual(["E_TYPE", "W_STREAM"]);
    expect(problemsOf("inst/deep", check).map((problem) => problem.code)).toEqual(["E_TYPE"]);
    expect(problemsOf("other", check)).toBe(problemsOf("another", check));
  });
});
