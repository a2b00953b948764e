import { expect, it } from "vitest";
import type { Body, GraphFile } from "../../api/schema";
import { diffGraphs, equal, isSame } from "./diff";

function graph(over: Partial<GraphFile> = {}): GraphFile {
  return {
    format: "hcpgraph/1",
    meta: {},
    requires: {},
    interface: {},
    nodes: {
      adamw: { type: "optim.adamw", version: 1, settings: { lr: 1e-4, betas: [0.9, 0.999] } },
      watch: { type: "graph:preview", version: 1 },
    },
    edges: { "adamw.params.0": "lora.params" },
    graphs: { preview: body() },
    view: { nodes: { adamw: [0, 0] } },
    ...over,
  };
}
function body(steps = 20): Body {
  return {
    nodes: { sample: { type: "sample.denoise", version: 1, settings: { steps } } },
    edges: { "sample.model": "model.out" },
    interface: {},
    view: {},
  };
}

it("finds nothing between equal graphs, wherever their boxes stand and however they are called", () => {
  const other = graph({ view: { nodes: { adamw: [9, 9] } }, meta: { title: "x" } });
  expect(isSame(diffGraphs(graph(), other))).toBe(true);
});

it("names settings by node and setting, inside subgraphs too", () => {
  const after = graph({ run: { seed: 3 }, graphs: { preview: body(30) } });
  after.nodes.adamw = { type: "optim.adamw", version: 1, settings: { lr: 3e-4, betas: [0.9, 0.999] }, mode: "mute" };
  const { settings } = diffGraphs(graph(), after);
  expect(settings).toEqual([
    { place: "run.seed", before: undefined, after: 3 },
    { place: "adamw.lr", before: 1e-4, after: 3e-4 },
    { place: "adamw: mode", before: undefined, after: "mute" },
    { place: "watch/sample.steps", before: 20, after: 30 },
  ]);
});

it("lists nodes and wires that came, went or changed", () => {
  const after = graph({ edges: { "adamw.params.0": "dora.params", "x.y": "adamw.out" } });
  after.nodes.adamw = { type: "optim.lion", version: 1, settings: {} };
  const { added, removed, wires, settings } = diffGraphs(graph(), after);
  expect(removed).toEqual([{ node: "adamw", type: "optim.adamw" }]);
  expect(added).toEqual([{ node: "adamw", type: "optim.lion" }]);
  expect(settings).toEqual([]);
  expect(wires).toEqual([
    { target: "adamw.params.0", before: "lora.params", after: "dora.params" },
    { target: "x.y", before: undefined, after: "adamw.out" },
  ]);
});

it("ends on a subgraph that contains itself", () => {
  const looped: Body = { nodes: { again: { type: "graph:preview", version: 1 } }, edges: {}, interface: {}, view: {} };
  expect(isSame(diffGraphs(graph({ graphs: { preview: looped } }), graph({ graphs: { preview: looped } })))).toBe(true);
});

it("compares JSON values, not the order of keys", () => {
  expect(equal({ a: 1, b: [1, { c: null }] }, { b: [1, { c: null }], a: 1 })).toBe(true);
  expect(equal([1, 2], [2, 1])).toBe(false);
  expect(equal({ a: 1 }, { a: 1, b: 2 })).toBe(false);
  expect(equal([], {})).toBe(false);
});
