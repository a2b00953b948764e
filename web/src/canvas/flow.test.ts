// @vitest-environment node
import { describe, expect, test } from "vitest";
import type { GraphFile } from "../api/schema";
import { inside, splitSource, splitTarget } from "../graph/body";
import { GRAPHS, realGraph, realSpecs } from "../graph/fixtures/specs";
import { shapeOf } from "../graph/ports";
import { type CardNode, type FlowNode, flowEdges, flowNodes, LAYER, type Scene } from "./flow";
import { encloses, HEADER, regionTop, SETTINGS_SHOWN, shownSettings } from "./geometry";

const scene = (graph: GraphFile, more: Partial<Scene> = {}): Scene => ({
  graph,
  path: [],
  specs: realSpecs(),
  check: null,
  sizes: new Map(),
  ...more,
});

function absolute(nodes: FlowNode[], id: string): { x: number; y: number; w: number; h: number } {
  const node = nodes.find((one) => one.id === id);
  if (!node) throw new Error(id);
  const outer = node.parentId === undefined ? { x: 0, y: 0 } : absolute(nodes, node.parentId);
  return {
    x: outer.x + node.position.x,
    y: outer.y + node.position.y,
    w: node.width ?? 0,
    h: node.height ?? node.initialHeight ?? 0,
  };
}

test("the parts of a bundle make their node larger, and one that is opened for a wire lies over all others", () => {
  const graph: GraphFile = {
    ...realGraph("quickstart/generate"),
    nodes: { load: { type: "model.load", version: 1 }, other: { type: "model.load", version: 1 } },
    edges: {},
    interface: {},
    view: {},
  };
  const drawn = (more: Partial<Scene>) => {
    const [load] = flowNodes(scene(graph, more)) as CardNode[];
    return [load?.data.shape.outputs.length, load?.zIndex, load?.initialHeight];
  };
  const [few, low, short] = drawn({});
  const [many, high, tall] = drawn({ opened: new Set(["load.model"]), lifted: new Set(["load"]) });
  expect([few, many, low, high]).toEqual([1, 5, LAYER.node, LAYER.nodeSelected]);
  expect(Number(tall)).toBeGreaterThan(Number(short));
  expect(drawn({ opened: new Set(["other.model"]), lifted: new Set(["other"]) })).toEqual([few, low, short]);
});

describe.each(GRAPHS)("%s", (name) => {
  const graph = realGraph(name);
  const nodes = flowNodes(scene(graph));

  test("every node is drawn once, after its region, where the file says", () => {
    const order = nodes.map((node) => node.id);
    expect([...order].sort()).toEqual(Object.keys(graph.nodes).sort());
    for (const node of nodes) {
      if (node.parentId !== undefined) expect(order.indexOf(node.parentId)).toBeLessThan(order.indexOf(node.id));
      if (node.type === "region") continue;
      const [x, y] = graph.view.nodes?.[node.id] ?? [0, 0];
      expect(absolute(nodes, node.id)).toMatchObject({ x, y });
    }
  });

  test("a region without a size encloses what lies in it, below its own ports", () => {
    for (const region of nodes.filter((node) => node.type === "region")) {
      if ((graph.view.nodes?.[region.id]?.length ?? 0) > 2) continue;
      const outer = absolute(nodes, region.id);
      const top = outer.y + regionTop((region as CardNode).data.shape);
      for (const id of inside(graph, region.id)) {
        expect(encloses(outer, absolute(nodes, id))).toBe(true);
        expect(absolute(nodes, id).y).toBeGreaterThanOrEqual(top);
      }
    }
  });

  test("every wire ends at ports that its nodes draw", () => {
    const edges = flowEdges(scene(graph), () => "");
    expect(edges.map((edge) => edge.id).sort()).toEqual(Object.keys(graph.edges).sort());
    for (const edge of edges) {
      const from = shapeOf(graph, [], edge.source, realSpecs());
      const to = shapeOf(graph, [], edge.target, realSpecs());
      const sources = [...from.outputs, ...from.entries].map((port) => port.name);
      const targets = [...to.inputs, ...to.exits, ...shownSettings(to).shown].map((port) => port.name);
      expect(sources).toContain(edge.sourceHandle);
      expect(targets).toContain(edge.targetHandle);
      expect(splitSource(graph.edges[edge.id] ?? "").node).toBe(edge.source);
      expect(edge.data?.index ?? null).toBe(splitTarget(edge.id).index);
    }
  });
});

test("a wire lies over the regions that it leads into and under the others", () => {
  const graph = realGraph("quickstart/train_lora");
  const nodes = new Map(flowNodes(scene(graph)).map((node) => [node.id, node]));
  const edges = flowEdges(scene(graph), () => "");
  const into = edges.filter((edge) => nodes.get(edge.target)?.parentId !== undefined);
  expect(into.length).toBeGreaterThan(0);
  for (const edge of into) {
    const region = nodes.get(nodes.get(edge.target)?.parentId ?? "");
    expect(edge.zIndex ?? 0).toBeGreaterThan(region?.zIndex ?? 0);
    expect(edge.zIndex ?? 0).toBeLessThan(LAYER.node);
  }
  const outside = edges.filter((edge) => !nodes.get(edge.target)?.parentId && !nodes.get(edge.source)?.parentId);
  for (const edge of outside) expect(edge.zIndex ?? 0).toBeLessThan(0);
});

test("a node of the height of its title is collapsed; one of an unknown type with nodes in it is a region", () => {
  const graph = realGraph("quickstart/generate");
  const [id = ""] = Object.keys(graph.nodes);
  const folded: GraphFile = {
    ...graph,
    view: { ...graph.view, nodes: { ...graph.view.nodes, [id]: [0, 0, 220, HEADER] } },
  };
  const drawn = flowNodes(scene(folded)).find((node) => node.id === id) as CardNode;
  expect(drawn.data.collapsed).toBe(true);
  const strange: GraphFile = {
    ...graph,
    nodes: { loop: { type: "other.loop", version: 1 }, child: { type: "other.step", version: 1, in: "loop" } },
    edges: {},
    interface: {},
    view: { nodes: { loop: [0, 0], child: [40, 200] } },
  };
  const nodes = flowNodes(scene(strange));
  expect(nodes.map((node) => [node.id, node.type])).toEqual([
    ["loop", "region"],
    ["child", "card"],
  ]);
});

test("a node shows its primary and changed settings, few of them, and every wired one", () => {
  const graph = realGraph("train/scratch");
  for (const id of Object.keys(graph.nodes)) {
    const shape = shapeOf(graph, [], id, realSpecs());
    const { shown, more } = shownSettings(shape);
    expect(shown.length + more).toBe(shape.settings.length);
    expect(shown.length).toBeLessThanOrEqual(SETTINGS_SHOWN);
    for (const setting of shown) {
      expect(setting.widget.primary || setting.required || !setting.isDefault || setting.wired !== null).toBe(true);
    }
  }
  const [id = ""] = Object.keys(graph.nodes);
  const shape = shapeOf(graph, [], id, realSpecs());
  const wired = { ...shape, settings: shape.settings.map((one) => ({ ...one, wired: "x.out" })) };
  expect(shownSettings(wired).more).toBe(0);
});
