import type { Body, GraphFile } from "../api/schema";
import { type BodyPath, bodyAt, children, inside, ownerOf, regionOf, withInside } from "./body";
import { type Box, bounds, NODE_SIZE, nodeBox, REGION_PADDING, REGION_SIZE, type Size } from "./geometry";

type Dagre = typeof import("@dagrejs/dagre");

export interface LayoutOptions {
  /** Free space inside of a region: what its title and its ports take is known to the canvas. */
  padding?: (owner: string) => { side: number; top: number; bottom: number };
}

const GAP = { nodesep: 48, ranksep: 80, edgesep: 12 };

/**
 * New places for a whole body (`ids` null) or for some of its nodes, which stay where they are as a group. A region is
 * laid out inside first and then stands as one box in what is around it. Nothing is changed: see `placeNodes`.
 */
export async function layout(
  graph: GraphFile,
  path: BodyPath,
  ids: Iterable<string> | null,
  sizes: ReadonlyMap<string, Size>,
  options: LayoutOptions = {},
): Promise<Map<string, number[]>> {
  const dagre = await import("@dagrejs/dagre");
  const body = bodyAt(graph, path);
  const chosen = withInside(body, ids ?? Object.keys(body.nodes));
  const areas = new Map<string | null, string[]>();
  for (const id of [...chosen].sort()) {
    const owner = regionOf(body, id);
    if (owner !== null && chosen.has(owner)) continue;
    areas.set(owner, [...(areas.get(owner) ?? []), id]);
  }
  const places = new Map<string, number[]>();
  for (const items of areas.values()) {
    const arranged = arrange(dagre, body, items, sizes, options.padding ?? (() => REGION_PADDING));
    const before = bounds(items.map((id) => nodeBox(body, id, sizes)));
    const after = bounds(items.flatMap((id) => arranged.get(id) ?? []));
    if (!before || !after) continue;
    // The whole graph keeps its corner, a group of nodes its middle.
    const dx = ids === null ? before.x - after.x : before.x + before.w / 2 - after.x - after.w / 2;
    const dy = ids === null ? before.y - after.y : before.y + before.h / 2 - after.y - after.h / 2;
    for (const [id, box] of arranged) {
      const at = [Math.round(box.x + dx), Math.round(box.y + dy)];
      const sized = (body.view.nodes?.[id]?.length ?? 0) > 2;
      places.set(id, sized ? [...at, Math.round(box.w), Math.round(box.h)] : at);
    }
  }
  return places;
}

/** Boxes for the items of one region, and for everything inside of the regions among them. */
function arrange(
  dagre: Dagre,
  body: Body,
  items: readonly string[],
  sizes: ReadonlyMap<string, Size>,
  padding: (owner: string) => { side: number; top: number; bottom: number },
): Map<string, Box> {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: "LR", ...GAP });
  graph.setDefaultEdgeLabel(() => ({}));
  const inner = new Map<string, Map<string, Box>>();
  for (const id of items) {
    const content = [...(children(body).get(id) ?? [])].sort();
    let size: Size = sizes.get(id) ?? NODE_SIZE;
    const own = body.view.nodes?.[id];
    if (content.length > 0) {
      const boxes = arrange(dagre, body, content, sizes, padding);
      const { side, top, bottom } = padding(id);
      const box = bounds(content.flatMap((child) => boxes.get(child) ?? [])) ?? { x: 0, y: 0, ...REGION_SIZE };
      size = { w: Math.max(REGION_SIZE.w, box.w + 2 * side), h: box.h + top + bottom };
      for (const [child, one] of boxes) boxes.set(child, { ...one, x: one.x - box.x + side, y: one.y - box.y + top });
      inner.set(id, boxes);
    } else if (own && own.length > 3) size = { w: own[2] ?? size.w, h: own[3] ?? size.h };
    graph.setNode(id, { width: size.w, height: size.h });
  }
  for (const [from, to] of wiresBetween(body, items)) graph.setEdge(from, to);
  dagre.layout(graph);
  const placed = new Map<string, Box>();
  for (const id of items) {
    const { x = 0, y = 0, width = 0, height = 0 } = graph.node(id);
    const box = { x: x - width / 2, y: y - height / 2, w: width, h: height };
    placed.set(id, box);
    for (const [child, one] of inner.get(id) ?? []) placed.set(child, { ...one, x: one.x + box.x, y: one.y + box.y });
  }
  return placed;
}

/** Which item feeds which; a wire that ends inside of a region counts for the region. */
function wiresBetween(body: Body, items: readonly string[]): [string, string][] {
  const itemOf = new Map<string, string>();
  for (const id of items) {
    itemOf.set(id, id);
    for (const child of inside(body, id)) itemOf.set(child, id);
  }
  const pairs = new Map<string, [string, string]>();
  for (const [target, source] of Object.entries(body.edges)) {
    const [from, to] = [itemOf.get(ownerOf(source)), itemOf.get(ownerOf(target))];
    if (from !== undefined && to !== undefined && from !== to) pairs.set(`${from} ${to}`, [from, to]);
  }
  return [...pairs.keys()].sort().flatMap((key) => [pairs.get(key) ?? ["", ""]] as [string, string][]);
}
