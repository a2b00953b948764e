import { useEffect } from "react";
import { create } from "zustand";
import type { Box } from "../graph/geometry";
import { bounds } from "../graph/geometry";
import type { Point, RouteBox, RouteWire } from "../graph/route";
import type { EdgeStyle } from "../state/preferences";
import type { FlowNode } from "./flow";
import { isExtra } from "./flow";
import { regionTop } from "./geometry";
import { currentFlow } from "./stage";
import { useCanvas } from "./store";
import { directPoints, type Ends } from "./wirePath";

/**
 * The ways of wires round the nodes. Every wire that is drawn says where its ends are; once nothing moves any more, the
 * ways are looked for in small pieces of time, and only of the wires that what has changed can concern.
 */
interface Way {
  /** What it was found for. */
  ends: string;
  style: EdgeStyle;
  /** Null: the direct wire crosses nothing. */
  corners: readonly Point[] | null;
}

const QUIET = 80;
const SLICE = 8;
const SHOW = 150;
/** How far from its ends a way may lead. */
const AREA = 420;

const useWays = create<{ ways: ReadonlyMap<string, Way> }>()(() => ({ ways: new Map() }));

interface Drawn {
  ends: Ends;
  style: EdgeStyle;
  /** Node and port that it comes from. */
  from: string;
  source: string;
  to: string;
}
const drawn = new Map<string, Drawn>();
/** The ways of the wires that are drawn, as far as they are known: those of `useWays`, and what was found since. */
const found = new Map<string, Way>();
let boxes = new Map<string, RouteBox>();
let timer = 0;
let round = 0;

const keyOf = ({ sourceX, sourceY, targetX, targetY }: Ends): string =>
  [sourceX, sourceY, targetX, targetY].map(Math.round).join();

/** The corners of a wire's way as it is drawn now, or null for the direct wire. Its ends are told on the way. */
export function useWay(id: string, wire: Drawn): readonly Point[] | null {
  const { ends, style, from, source, to } = wire;
  const key = keyOf(ends);
  // biome-ignore lint/correctness/useExhaustiveDependencies: `key` stands for the ends
  useEffect(() => {
    drawn.set(id, { ends, style, from, source, to });
    findWays();
    return () => {
      drawn.delete(id);
    };
  }, [id, key, style, from, source, to]);
  return useWays(({ ways }) => {
    const way = ways.get(id);
    return way?.ends === key && way.style === style ? way.corners : null;
  });
}

/** Look for ways soon, when for a moment nothing has changed. */
export function findWays(): void {
  window.clearTimeout(timer);
  timer = window.setTimeout(() => void find(), QUIET);
}

/** Another body is drawn. */
export function forgetWays(): void {
  window.clearTimeout(timer);
  round += 1;
  drawn.clear();
  found.clear();
  boxes = new Map();
  useWays.setState({ ways: new Map() });
}

async function find(): Promise<void> {
  const { crosses, Router } = await import("../graph/route");
  const flow = currentFlow();
  if (!flow || drawn.size === 0) return;
  const nodes = flow.getNodes();
  if (nodes.some((node) => node.dragging || node.resizing)) return; // the end of it comes here again
  round += 1;
  const mine = round;
  const [before, now] = [boxes, boxesOf(nodes)];
  const changed = [...now].flatMap(([id, box]) => (sameBox(before.get(id), box) ? [] : [box]));
  const gone = [...before].flatMap(([id, box]) => (sameBox(now.get(id), box) ? [] : [box]));
  boxes = now;
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
    const search = router.route(routeWire(id, wire, now));
    let step = search.next();
    for (let late = false; !step.done || late; late = performance.now() - began > SLICE) {
      if (late) {
        if (performance.now() - shown > SHOW) {
          publish();
          shown = performance.now();
        }
        await new Promise((resolve) => setTimeout(resolve));
        if (mine !== round) return;
        began = performance.now();
      }
      if (!step.done) step = search.next();
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

useCanvas.subscribe((now, before) => {
  if (now.settled !== before.settled) findWays();
});
