// @vitest-environment node
import { expect, test } from "vitest";
import { splitSource, splitTarget } from "../graph/body";
import { GRAPHS, realGraph, realSpecs } from "../graph/fixtures/specs";
import { type Point, type RouteBox, Router, type RouteWire } from "../graph/route";
import { type CardNode, flowEdges, flowNodes } from "./flow";
import { HEADER, PAD, PORT_ROW, regionTop } from "./geometry";
import { directPoints } from "./wirePoints";

/** Nodes and wires of a graph as they are drawn, as far as that is known without drawing. */
function drawing(name: string): { boxes: RouteBox[]; wires: RouteWire[] } {
  const graph = realGraph(name);
  const scene = { graph, path: [], specs: realSpecs(), check: null, sizes: new Map() };
  const nodes = new Map((flowNodes(scene) as CardNode[]).map((node) => [node.id, node]));
  const corner = (id: string): Point => {
    const node = nodes.get(id)!;
    const [x, y] = node.parentId === undefined ? [0, 0] : corner(node.parentId);
    return [x + node.position.x, y + node.position.y];
  };
  const boxes = [...nodes.values()].map((node): RouteBox => {
    const [x, y] = corner(node.id);
    const box = { id: node.id, x, y, w: node.width!, h: node.height ?? node.initialHeight! };
    return node.type === "region" ? { ...box, region: { head: regionTop(node.data.shape) } } : box;
  });
  const sizes = new Map(boxes.map((box) => [box.id, box]));
  const owners = (id: string): string[] => {
    const parent = nodes.get(id)?.parentId;
    return parent === undefined ? [] : [parent, ...owners(parent)];
  };
  const row = (id: string, port: string): { y: number; inner: boolean } => {
    const { inputs, outputs, entries, exits, settings } = nodes.get(id)!.data.shape;
    const top = corner(id)[1];
    const inner = [...entries, ...exits].some((one) => one.name === port);
    if (inner) return { y: top + regionTop(nodes.get(id)!.data.shape) - 13, inner };
    const at = Math.max(...[inputs, outputs].map((side) => side.findIndex((one) => one.name === port)));
    if (at >= 0) return { y: top + HEADER + PAD + (at + 0.5) * PORT_ROW, inner };
    const ports = Math.max(inputs.length, outputs.length);
    const setting = settings.findIndex((one) => one.name === port);
    return { y: top + HEADER + ports * PORT_ROW + 3 * PAD + (setting + 0.5) * 30, inner };
  };
  const wires = flowEdges(scene, () => "").map((edge): RouteWire => {
    const [a, b] = [splitSource(edge.data!.source), splitTarget(edge.id)];
    const [from, to] = [row(a.node, a.port), row(b.node, b.port)];
    const [one, two] = [sizes.get(a.node)!, sizes.get(b.node)!];
    const ends = {
      sourceX: from.inner ? one.x + 70 : one.x + one.w,
      sourceY: from.y,
      targetX: to.inner ? two.x + two.w - 70 : two.x,
      targetY: to.y,
    };
    const regions = new Set([...owners(a.node), ...owners(b.node)]);
    return {
      id: edge.id,
      source: edge.data!.source,
      from: [ends.sourceX, ends.sourceY],
      to: [ends.targetX, ends.targetY],
      regions,
      heads: new Set([a.node, b.node].filter((id) => regions.has(id))),
      direct: directPoints("bezier", ends as Parameters<typeof directPoints>[1]),
    };
  });
  return { boxes, wires };
}

function routed(router: Router, wire: RouteWire): readonly Point[] | null {
  const search = router.route(wire);
  for (;;) {
    const { done, value } = search.next();
    if (done) return value;
  }
}

/** Whether a line comes into the inside of a box. */
function enters(line: readonly Point[], { x, y, w, h }: RouteBox): boolean {
  return line.some(([a, b], i) => {
    const [c, d] = line[i + 1] ?? [a, b];
    for (let step = 0; step <= 20; step += 1) {
      const [u, v] = [a + ((c - a) * step) / 20, b + ((d - b) * step) / 20];
      if (u > x + 2 && u < x + w - 2 && v > y + 2 && v < y + h - 2) return true;
    }
    return false;
  });
}

test.each(GRAPHS)("no wire of %s runs behind a node or through a region that it does not belong to", (name) => {
  const { boxes, wires } = drawing(name);
  const router = new Router(boxes);
  const found: string[] = [];
  for (const wire of wires) {
    const line = routed(router, wire) ?? wire.direct;
    for (const box of boxes) {
      const own = box.region ? wire.regions.has(box.id) : false;
      if (!own && enters(line, box)) found.push(`${wire.source} -> ${wire.id} behind ${box.id}`);
    }
  }
  expect(found).toEqual([]);
});
