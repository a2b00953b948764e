import { type Box, bounds } from "../graph/geometry";
import { crosses, type RouteBox, Router, type RouteWire } from "../graph/route";
import { type FlowNode, isExtra } from "./flow";
import { regionTop } from "./geometry";
import { currentFlow } from "./stage";
import { type Drawn, drawn, found, keyOf, search, useWays } from "./wayState";
import type { Ends } from "./wirePath";
import { directPoints } from "./wirePoints";

/** How long the page may be held up, and how often what is found so far is shown, in milliseconds. */
const SLICE = 8;
const SHOW = 150;
/** How far from its ends a way may lead. */
const AREA = 420;

/** Look for the ways of all wires that need one, in small pieces of time. */
export async function find(): Promise<void> {
  const flow = currentFlow();
  if (!flow || drawn.size === 0) return;
  const nodes = flow.getNodes();
  if (nodes.some((node) => node.dragging || node.resizing)) return; // the end of it comes here again
  search.round += 1;
  const mine = search.round;
  const [before, now] = [search.boxes, boxesOf(nodes)];
  const changed = [...now].flatMap(([id, box]) => (sameBox(before.get(id), box) ? [] : [box]));
  const gone = [...before].flatMap(([id, box]) => (sameBox(now.get(id), box) ? [] : [box]));
  search.boxes = now;
  for (const [id, way] of found) {
    const wire = drawn.get(id);
    const line = wire && (way.corners ?? directPoints(wire.style, wire.ends));
    const stays =
      wire?.style === way.style &&
      keyOf(wire.ends) === way.ends &&
      !changed.some((box) => crosses(line ?? [], box)) &&
      // what was in its way may be so no more
      !(way.corners && gone.some((box) => overlaps(box, around(wire.ends))));
    if (!stays) found.delete(id);
  }
  const wanted = [...drawn.keys()].filter((id) => !found.has(id));
  const area = bounds([...drawn.values()].map(({ ends }) => around(ends)));
  if (wanted.length === 0 || !area) return publish();
  const router = new Router([...now.values()], area);
  for (const [id, { corners }] of found) if (corners) router.claim(corners, drawn.get(id)?.source ?? "");
  wanted.sort((a, b) => reach(a) - reach(b) || a.localeCompare(b));
  let began = performance.now();
  let shown = began;
  for (const id of wanted) {
    const wire = drawn.get(id);
    if (!wire) continue;
    const steps = router.route(routeWire(id, wire, now));
    let step = steps.next();
    for (let late = false; !step.done || late; late = performance.now() - began > SLICE) {
      if (late) {
        if (performance.now() - shown > SHOW) {
          publish();
          shown = performance.now();
        }
        await new Promise((resolve) => setTimeout(resolve));
        if (mine !== search.round) return;
        began = performance.now();
      }
      if (!step.done) step = steps.next();
    }
    found.set(id, { ends: keyOf(wire.ends), style: wire.style, corners: step.value });
  }
  publish();
}

function publish(): void {
  useWays.setState({ ways: new Map(found) });
}

function overlaps(a: Box, b: Box): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

function sameBox(a: RouteBox | undefined, b: RouteBox | undefined): boolean {
  if (!a || !b) return a === b;
  return a.x === b.x && a.y === b.y && a.w === b.w && a.h === b.h && a.region?.head === b.region?.head;
}

function around({ sourceX, sourceY, targetX, targetY }: Ends): Box {
  const [x, y] = [Math.min(sourceX, targetX) - AREA, Math.min(sourceY, targetY) - AREA];
  return { x, y, w: Math.abs(sourceX - targetX) + 2 * AREA, h: Math.abs(sourceY - targetY) + 2 * AREA };
}

function reach(id: string): number {
  const { sourceX = 0, sourceY = 0, targetX = 0, targetY = 0 } = drawn.get(id)?.ends ?? {};
  return Math.abs(sourceX - targetX) + Math.abs(sourceY - targetY);
}

/** What wires go round: nodes and regions, these before what lies in them. */
function boxesOf(nodes: readonly FlowNode[]): Map<string, RouteBox> {
  const flow = currentFlow();
  const found = new Map<string, RouteBox>();
  for (const node of nodes) {
    const drawing = isExtra(node.id) ? undefined : flow?.getInternalNode(node.id);
    if (!drawing) continue;
    const { x, y } = drawing.internals.positionAbsolute;
    const w = drawing.measured.width ?? node.width ?? node.initialWidth ?? 0;
    const h = drawing.measured.height ?? node.height ?? node.initialHeight ?? 0;
    const region = node.type === "region" && { head: regionTop(node.data.shape) };
    found.set(node.id, { id: node.id, x, y, w, h, ...(region && { region }) });
  }
  return found;
}

function routeWire(
  id: string,
  { ends, style, from, source, to }: Drawn,
  now: ReadonlyMap<string, RouteBox>,
): RouteWire {
  const nodes = currentFlow();
  const owners = (node: string): string[] => {
    const parent = nodes?.getNode(node)?.parentId;
    return parent === undefined || !now.has(parent) ? [] : [parent, ...owners(parent)];
  };
  const regions = new Set([...owners(from), ...owners(to)]);
  return {
    id,
    from: [ends.sourceX, ends.sourceY],
    to: [ends.targetX, ends.targetY],
    source,
    regions,
    // an entry or an exit: a wire between a region's own head and its inside
    heads: new Set([from, to].filter((node) => regions.has(node))),
    direct: directPoints(style, ends),
  };
}
