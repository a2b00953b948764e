import { expect, it } from "vitest";
import type { Body, Json } from "../api/schema";
import { complete } from "./normal";
import { typedAt } from "./typed";

const body = (nodes: Body["nodes"], inputs: Record<string, string[]>): Body => ({
  nodes,
  edges: {},
  interface: { inputs, outputs: {} },
  view: {},
});

/** "outer" is an instance of a graph with "inner", an instance of a graph with a "sampler" whose steps are promoted. */
function nested(given: { outer?: Record<string, Json>; inner?: Record<string, Json>; promoted?: boolean }) {
  const { outer, inner, promoted = true } = given;
  return complete({
    nodes: { outer: { type: "graph:two", version: 1, ...(outer && { settings: outer }) } },
    graphs: {
      one: body({ sampler: { type: "a.b", version: 1 } }, { steps: ["sampler.steps"] }),
      two: body(
        { inner: { type: "graph:one", version: 1, ...(inner && { settings: inner }) } },
        promoted ? { count: ["inner.steps"] } : {},
      ),
    },
  });
}
const at = (graph: ReturnType<typeof nested>, port?: string) => typedAt(graph, { node: "outer/inner/sampler", port });

it("a value is written on the outermost instance that gives it", () => {
  expect(at(nested({ outer: { count: 0 } }), "steps")).toEqual({ node: "outer", port: "count" });
  expect(at(nested({ inner: { steps: 0 }, promoted: false }), "steps")).toEqual({ node: "outer/inner", port: "steps" });
  expect(at(nested({ promoted: false }), "steps")).toEqual({ node: "outer/inner/sampler", port: "steps" });
});

it("what is said of a node that the engine put in for a part of a bundle is said of the node that is drawn", () => {
  const graph = nested({});
  graph.graphs.one!.nodes.after = { type: "flow.after", version: 1 };
  const inner = { node: "outer/inner/after/denoiser", port: "trained" };
  expect(typedAt(graph, inner)).toEqual({ node: "outer/inner/after", port: "trained" });
  expect(typedAt(graph, { node: "other/denoiser", port: undefined })).toEqual({ node: "other", port: undefined });
});

it("a wire into the instance counts, what is not promoted stays inside, and so does what names no port", () => {
  const wired = { ...nested({}), edges: { "outer.count": "number.out" } };
  expect(at(wired, "steps")).toEqual({ node: "outer", port: "count" });
  expect(at(nested({ outer: { count: 0 } }), "other")).toEqual({ node: "outer/inner/sampler", port: "other" });
  expect(at(nested({ outer: { count: 0 } }))).toEqual({ node: "outer/inner/sampler", port: undefined });
  expect(typedAt(wired, { node: "outer", port: "count" })).toEqual({ node: "outer", port: "count" });
});
