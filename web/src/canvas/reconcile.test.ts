import { expect, test } from "vitest";
import { type FlowNode, LAYER, type WireEdge } from "./flow";
import { reconcileEdges, reconcileNodes } from "./reconcile";

const note = (id: string, x: number, text = ""): FlowNode =>
  ({
    id,
    type: "note",
    position: { x, y: 0 },
    width: 10,
    height: 10,
    zIndex: LAYER.node,
    data: { note: notes[text] ?? notes[""] },
  }) as FlowNode;
const notes: Record<string, object> = {
  "": { id: "n", at: [0, 0, 1, 1], text: "" },
  b: { id: "n", at: [0, 0, 1, 1], text: "b" },
};
const nobody = () => false;
const labels = new Map<string, string>();

test("what did not change is the same object, and so is the whole list", () => {
  const before = reconcileNodes([], [note("a", 0), note("b", 5)], nobody, labels);
  expect(reconcileNodes(before, [note("a", 0), note("b", 5)], nobody, labels)).toBe(before);
  const after = reconcileNodes(before, [note("a", 0), note("b", 6)], nobody, labels);
  expect(after[0]).toBe(before[0]);
  expect(after[1]).not.toBe(before[1]);
  expect(reconcileNodes(before, [note("a", 0, "b"), note("b", 5)], nobody, labels)[1]).toBe(before[1]);
});

test("measured sizes stay, a drag is not thrown back by an edit, selection comes to the front", () => {
  const [first] = reconcileNodes([], [note("a", 0)], nobody, labels);
  const dragged = {
    ...(first as FlowNode),
    position: { x: 70, y: 7 },
    dragging: true,
    measured: { width: 3, height: 4 },
  } as FlowNode;
  const [next] = reconcileNodes([dragged], [note("a", 0, "b")], (id) => id === "a", labels);
  expect(next?.position).toEqual({ x: 70, y: 7 });
  expect(next?.measured).toEqual({ width: 3, height: 4 });
  expect(next?.selected).toBe(true);
  expect(next?.zIndex).toBe(LAYER.nodeSelected);
  const [dropped] = reconcileNodes([{ ...dragged, dragging: false }], [note("a", 0)], nobody, labels);
  expect(dropped?.position).toEqual({ x: 0, y: 0 });
});

test("a wire is drawn again when its source, its type or its selection changes", () => {
  const wire = (source: string, color = "#fff"): WireEdge => ({
    id: "t.in",
    type: "wire",
    source,
    sourceHandle: "out",
    target: "t",
    targetHandle: "in",
    data: { source: `${source}.out`, type: "T", color, shape: "circle", index: null, muted: false, label: "w" },
  });
  const before = reconcileEdges([], [wire("a")], nobody);
  expect(reconcileEdges(before, [wire("a")], nobody)).toBe(before);
  expect(reconcileEdges(before, [wire("b")], nobody)[0]?.source).toBe("b");
  expect(reconcileEdges(before, [wire("a", "#000")], nobody)[0]?.data?.color).toBe("#000");
  expect(reconcileEdges(before, [wire("a")], () => true)[0]?.selected).toBe(true);
});
