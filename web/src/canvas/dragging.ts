import type { OnNodeDrag } from "@xyflow/react";
import type { GraphFile } from "../api/schema";
import { type BodyPath, bodyAt, regionOf, withInside } from "../graph/body";
import { editFrame, editNote } from "../graph/edit/annotations";
import { moveInto } from "../graph/edit/nodes";
import { moveNodes } from "../graph/edit/places";
import { splice, spliceable } from "../graph/edit/splice";
import type { Box } from "../graph/geometry";
import i18n from "../i18n";
import { currentDoc, currentPath } from "../state/tabs";
import { announce } from "../ui";
import { connectContext } from "./connecting";
import { edit } from "./edit";
import { type FlowNode, FRAME, isExtra, NOTE } from "./flow";
import { encloses } from "./geometry";
import { boxOf, currentFlow, regionAt } from "./stage";
import { useCanvas } from "./store";

/** What is dragged: the nodes under the hand, and what a dragged frame takes along. */
interface Drag {
  ids: Set<string>;
  /** Dragged nodes and everything inside of the regions among them. */
  closed: Set<string>;
  start: Map<string, Box>;
  /** Frame -> nodes and notes that stood in it. */
  framed: Map<string, string[]>;
  wires: Set<string>;
}
let drag: Drag | null = null;

export const onNodeDragStart: OnNodeDrag<FlowNode> = (_, __, nodes) => {
  const flow = currentFlow();
  if (!flow) return;
  const graph = currentDoc().getState().graph;
  const body = bodyAt(graph, currentPath());
  const ids = new Set(nodes.map((node) => node.id));
  const start = new Map<string, Box>();
  for (const node of flow.getNodes()) {
    const box = boxOf(node.id);
    if (box) start.set(node.id, box);
  }
  const framed = new Map<string, string[]>();
  for (const id of ids) {
    const frame = start.get(id);
    if (!id.startsWith(FRAME) || !frame) continue;
    const within = [...start].filter(([other, box]) => other !== id && !ids.has(other) && encloses(frame, box));
    // What lies in a region goes with its region.
    const own = new Set(within.map(([other]) => other));
    framed.set(
      id,
      [...own].filter((other) => !own.has(regionOf(body, other) ?? "")),
    );
  }
  const context = connectContext();
  const [only] = ids.size === 1 ? ids : [];
  const wires =
    only !== undefined && !isExtra(only) && context
      ? spliceable(graph, currentPath(), only, context)
      : new Set<string>();
  drag = { ids, closed: withInside(body, ids), start, framed, wires };
};

export const onNodeDrag: OnNodeDrag<FlowNode> = (event, node) => {
  const flow = currentFlow();
  if (!drag || !flow) return;
  carryFramed(drag);
  if (isExtra(node.id)) return;
  const [x, y] = centre(node.id);
  const point = "touches" in event ? event.touches[0] : event;
  const dropWire = point && drag.wires.size > 0 ? wireAt(point.clientX, point.clientY, drag.wires) : null;
  const region = regionAt(x, y, drag.closed);
  const here = regionOf(bodyAt(currentDoc().getState().graph, currentPath()), node.id);
  const dropRegion = region === here ? null : region;
  const before = useCanvas.getState();
  if (before.dropWire !== dropWire || before.dropRegion !== dropRegion) useCanvas.setState({ dropWire, dropRegion });
};

export const onNodeDragStop: OnNodeDrag<FlowNode> = (_, __, nodes) => {
  const last = drag;
  drag = null;
  const { dropWire } = useCanvas.getState();
  useCanvas.setState({ dropRegion: null, dropWire: null });
  if (!last) return;
  drop(last, nodes, dropWire);
  if (last.framed.size > 0) {
    currentFlow()?.setNodes((all) =>
      all.map((node) => (node.dragging ? ({ ...node, dragging: false } as FlowNode) : node)),
    );
  }
  // Where the document did not follow, the drawing goes back to it.
  useCanvas.setState(({ settled }) => ({ settled: settled + 1 }));
};

function drop(last: Drag, nodes: readonly FlowNode[], dropWire: string | null): void {
  const moved = new Set([...nodes.map((node) => node.id), ...[...last.framed.values()].flat()]);
  const shifts = new Map<string, [number, number]>();
  for (const id of moved) {
    const [from, to] = [last.start.get(id), boxOf(id)];
    if (from && to && (from.x !== to.x || from.y !== to.y)) shifts.set(id, [to.x - from.x, to.y - from.y]);
  }
  if (shifts.size === 0) return;
  const owners = newOwners(last, [...shifts.keys()]);
  edit("canvas.edit.move", (graph, path) => {
    let next = shifted(graph, path, shifts, last.start);
    for (const [owner, ids] of owners) next = moveInto(next, path, ids, owner);
    const [only] = last.ids;
    const context = connectContext();
    if (dropWire !== null && only !== undefined && context) next = splice(next, path, only, dropWire, context);
    return next;
  });
  for (const [owner, ids] of owners) tellMove(ids, owner);
}

/** Nodes, frames and notes moved by their shifts; what lies in a moved region goes with it. */
export function shifted(
  graph: GraphFile,
  path: BodyPath,
  shifts: ReadonlyMap<string, [number, number]>,
  boxes: ReadonlyMap<string, Box>,
): GraphFile {
  const body = bodyAt(graph, path);
  const places = new Map<string, [number, number]>();
  let next = graph;
  for (const [id, [dx, dy]] of shifts) {
    if (id.startsWith(FRAME)) {
      const at = body.view.frames?.find((one) => FRAME + one.id === id)?.at;
      if (at) next = editFrame(next, path, id.slice(FRAME.length), { at: [at[0] + dx, at[1] + dy, at[2], at[3]] });
    } else if (id.startsWith(NOTE)) {
      const at = body.view.notes?.find((one) => NOTE + one.id === id)?.at;
      if (at) next = editNote(next, path, id.slice(NOTE.length), { at: [at[0] + dx, at[1] + dy, at[2], at[3]] });
    } else {
      const [x = boxes.get(id)?.x ?? 0, y = boxes.get(id)?.y ?? 0] = body.view.nodes?.[id] ?? [];
      places.set(id, [x + dx, y + dy]);
    }
  }
  return places.size > 0 ? moveNodes(next, path, places) : next;
}

/** A frame pulls what stands in it, before the document knows. */
function carryFramed({ framed, start }: Drag): void {
  const flow = currentFlow();
  if (!flow || framed.size === 0) return;
  const shift = new Map<string, [number, number]>();
  for (const [frame, ids] of framed) {
    const [from, to] = [start.get(frame), boxOf(frame)];
    if (from && to) for (const id of ids) shift.set(id, [to.x - from.x, to.y - from.y]);
  }
  flow.setNodes((nodes) =>
    nodes.map((node) => {
      const [by, from] = [shift.get(node.id), start.get(node.id)];
      if (!by || !from) return node;
      const outer = node.parentId === undefined ? undefined : start.get(node.parentId);
      const position = { x: from.x + by[0] - (outer?.x ?? 0), y: from.y + by[1] - (outer?.y ?? 0) };
      return { ...node, position, dragging: true } as FlowNode;
    }),
  );
}

/** Which of the moved nodes change their region: region -> nodes. A node counts by its middle. */
function newOwners({ closed }: Drag, moved: readonly string[]): Map<string | null, string[]> {
  const body = bodyAt(currentDoc().getState().graph, currentPath());
  const changes = new Map<string | null, string[]>();
  const all = new Set(moved);
  for (const id of moved) {
    const here = regionOf(body, id);
    if (isExtra(id) || (here !== null && all.has(here))) continue;
    const owner = regionAt(...centre(id), closed);
    if (owner !== here) changes.set(owner, [...(changes.get(owner) ?? []), id]);
  }
  return changes;
}

function centre(id: string): [number, number] {
  const box = boxOf(id);
  return box ? [box.x + box.w / 2, box.y + box.h / 2] : [0, 0];
}

function wireAt(x: number, y: number, wires: ReadonlySet<string>): string | null {
  for (const element of document.elementsFromPoint(x, y)) {
    const id = element.closest<HTMLElement>(".react-flow__edge")?.dataset.id;
    if (id !== undefined && wires.has(id)) return id;
  }
  return null;
}

function tellMove(ids: readonly string[], owner: string | null): void {
  const nodes = ids.join(", ");
  announce(
    owner === null ? i18n.t("canvas.say.left", { nodes }) : i18n.t("canvas.say.entered", { nodes, region: owner }),
  );
}
