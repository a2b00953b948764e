import type { Body, GraphFile } from "../../api/schema";
import { type BodyPath, inside, nodeIn } from "../body";
import { regionBounds } from "../geometry";
import { sameJson } from "../normal";
import { editBody, rounded } from "./base";

/**
 * Move nodes to places of the canvas. What lives in a region that moves goes with it, unless it is given a place of its
 * own. A node that has a size keeps it.
 */
export function moveNodes(graph: GraphFile, path: BodyPath, places: ReadonlyMap<string, readonly number[]>): GraphFile {
  return editBody(graph, path, (body) => {
    const next = new Map<string, number[]>();
    for (const [id, at] of places) {
      nodeIn(body, id);
      const [x = 0, y = 0] = rounded(at);
      const children = inside(body, id);
      const old = body.view.nodes?.[id] ?? (children.size > 0 ? boundsOf(body, id) : undefined);
      next.set(id, [x, y, ...(old ?? []).slice(2)]);
      if (!old) continue;
      const [dx, dy] = [x - (old[0] ?? 0), y - (old[1] ?? 0)];
      for (const child of children) {
        const from = body.view.nodes?.[child];
        if (!from || places.has(child) || next.has(child)) continue;
        next.set(child, [...rounded([(from[0] ?? 0) + dx, (from[1] ?? 0) + dy]), ...from.slice(2)]);
      }
    }
    return placed(body, next);
  });
}

/** Give a node, mostly the owner of a region, a place and a size. What lives in it stays where it is. */
export function resizeNode(
  graph: GraphFile,
  path: BodyPath,
  node: string,
  box: readonly [number, number, number, number],
): GraphFile {
  return editBody(graph, path, (body) => {
    nodeIn(body, node);
    return placed(body, new Map([[node, rounded(box)]]));
  });
}

/** Let a region take the size of what lives in it again. */
export function resetSize(graph: GraphFile, path: BodyPath, node: string): GraphFile {
  return editBody(graph, path, (body) => {
    const at = body.view.nodes?.[node];
    return at && at.length > 2 ? placed(body, new Map([[node, at.slice(0, 2)]])) : body;
  });
}

/** Put nodes where a layout says, sizes included. */
export function placeNodes(
  graph: GraphFile,
  path: BodyPath,
  places: ReadonlyMap<string, readonly number[]>,
): GraphFile {
  return editBody(graph, path, (body) => {
    const known = [...places].filter(([id]) => id in body.nodes);
    return placed(body, new Map(known.map(([id, at]) => [id, rounded(at)])));
  });
}

function placed(body: Body, places: ReadonlyMap<string, number[]>): Body {
  const nodes = { ...body.view.nodes, ...Object.fromEntries(places) };
  return sameJson(nodes, body.view.nodes) ? body : { ...body, view: { ...body.view, nodes } };
}

function boundsOf(body: Body, id: string): number[] | undefined {
  const box = regionBounds(body, id, new Map());
  return box ? [box.x, box.y] : undefined;
}
