import type { Edge, Node } from "@xyflow/react";
import type { Check, Frame, GraphFile, NodeEntry, Note } from "../api/schema";
import { type BodyPath, bodyAt, children, flatId, regionChain, splitSource, splitTarget } from "../graph/body";
import { type Box, bounds, type Size } from "../graph/geometry";
import { drawnShape } from "../graph/parts";
import { type NodeShape, shapeOf } from "../graph/ports";
import { type SpecIndex, typeInfo } from "../graph/specs";
import {
  estimateSize,
  HEADER,
  NODE_WIDTH,
  REGION_INSIDE,
  REGION_MIN_WIDTH,
  REGION_PAD,
  REROUTE,
  regionTop,
} from "./geometry";

/** What a node of the drawing knows; the same object parts as long as nothing that it shows has changed. */
export type CardData = {
  path: BodyPath;
  flat: string;
  entry: NodeEntry;
  shape: NodeShape;
  collapsed: boolean;
  /** Title of the region it lies in. */
  region: string | null;
};
export type CardNode = Node<CardData, "card" | "region" | "reroute">;
export type FrameNode = Node<{ frame: Frame }, "frame">;
export type NoteNode = Node<{ note: Note }, "note">;
export type FlowNode = CardNode | FrameNode | NoteNode;

export type WireData = {
  source: string;
  type: string;
  color: string | undefined;
  shape: string;
  /** Place in a list port. */
  index: number | null;
  /** One end takes no part in the run. */
  muted: boolean;
  /** From the outside into a region: the same value in every step. */
  label: string;
};
export type WireEdge = Edge<WireData, "wire">;

/**
 * What lies over what: frames, regions by their depth, nodes, what is selected. A wire lies over the regions that it
 * leads into and under all others, so that it crosses nobody's title.
 */
export const LAYER = { frame: -10, region: 2, node: 1000, nodeSelected: 2000 };
const DEEPEST = 400;

export const FRAME = "frame:";
export const NOTE = "note:";
/** Frames and notes are no nodes of the graph; their ids in the drawing carry a prefix that no node id can have. */
export const isExtra = (id: string): boolean => id.includes(":");

export interface Scene {
  graph: GraphFile;
  path: BodyPath;
  specs: SpecIndex;
  check: Check | null;
  /** Sizes as drawn, where they are known. */
  sizes: ReadonlyMap<string, Size>;
  /** Ports for bundles ("node.port") whose parts are in sight. */
  opened?: ReadonlySet<string>;
  /** Nodes over all others: a wire is held that may end at ports which came into sight for it. */
  lifted?: ReadonlySet<string>;
}

/** Everything of one body as the canvas draws it; owners of regions stand before what lies in them. */
export function flowNodes(scene: Scene): FlowNode[] {
  const body = bodyAt(scene.graph, scene.path);
  const shapes = new Map<string, NodeShape>();
  for (const id of Object.keys(body.nodes)) {
    const shape = shapeOf(scene.graph, scene.path, id, scene.specs, scene.check);
    shapes.set(
      id,
      drawnShape(shape, id, (whole) => scene.opened?.has(whole) ?? false),
    );
  }
  const boxes = bodyBoxes(scene, shapes);
  const nodes: FlowNode[] = (body.view.frames ?? []).map(frameNode);
  const add = (owner: string | null, depth: number): void => {
    for (const id of children(body).get(owner) ?? []) {
      const [entry, shape, box] = [body.nodes[id], shapes.get(id), boxes.get(id)];
      if (!entry || !shape || !box) continue;
      const outer = owner === null ? undefined : boxes.get(owner);
      const region = shapes.get(owner ?? "")?.title ?? null;
      nodes.push(cardNode(scene, { id, entry, shape, box, owner, outer, region, depth }));
      add(id, depth + 1);
    }
  };
  add(null, 0);
  nodes.push(...(body.view.notes ?? []).map(noteNode));
  return nodes;
}

interface Placed {
  id: string;
  entry: NodeEntry;
  shape: NodeShape;
  box: Box;
  owner: string | null;
  outer: Box | undefined;
  region: string | null;
  depth: number;
}

function cardNode(scene: Scene, { id, entry, shape, box, owner, outer, region, depth }: Placed): CardNode {
  const [, , w, h] = bodyAt(scene.graph, scene.path).view.nodes?.[id] ?? [];
  const type = isRegion(shape, id, scene) ? "region" : entry.type === "flow.reroute" ? "reroute" : "card";
  const collapsed = type === "card" && h !== undefined && h <= HEADER;
  const position = outer ? { x: box.x - outer.x, y: box.y - outer.y } : { x: box.x, y: box.y };
  const sized =
    type === "region"
      ? { width: box.w, height: box.h, style: PASS_THROUGH }
      : type === "reroute"
        ? { width: REROUTE, height: REROUTE }
        : { width: w ?? NODE_WIDTH, initialHeight: box.h };
  return {
    id,
    type,
    position,
    zIndex:
      type === "region"
        ? LAYER.region * Math.min(depth, DEEPEST)
        : scene.lifted?.has(id)
          ? LAYER.nodeSelected
          : LAYER.node,
    ...(owner !== null && { parentId: owner }),
    ...sized,
    data: { path: scene.path, flat: flatId(scene.path, id), entry, shape, collapsed, region },
  };
}

/** The inside of a region belongs to the canvas: a click there is a click beside the nodes. */
const PASS_THROUGH = { pointerEvents: "none" } as const;

/** Whether a node is drawn as a box around others: by its type, or, where that is not installed, by what lies in it. */
function isRegion(shape: NodeShape, id: string, { graph, path }: Scene): boolean {
  return shape.kind === "region" || children(bodyAt(graph, path)).has(id);
}

function frameNode(frame: Frame): FrameNode {
  const [x, y, width, height] = frame.at;
  return {
    id: FRAME + frame.id,
    type: "frame",
    position: { x, y },
    width,
    height,
    zIndex: -2,
    style: PASS_THROUGH,
    data: { frame },
  };
}

function noteNode(note: Note): NoteNode {
  const [x, y, width, height] = note.at;
  return { id: NOTE + note.id, type: "note", position: { x, y }, width, height, zIndex: LAYER.node, data: { note } };
}

/** Where every node stands and how large it is, in coordinates of the body. Regions without a size enclose their nodes. */
function bodyBoxes(scene: Scene, shapes: ReadonlyMap<string, NodeShape>): Map<string, Box> {
  const body = bodyAt(scene.graph, scene.path);
  const boxes = new Map<string, Box>();
  const boxOf = (id: string, depth: number): Box => {
    const known = boxes.get(id);
    if (known) return known;
    const [x = 0, y = 0, w, h] = body.view.nodes?.[id] ?? [];
    const shape = shapes.get(id);
    let box: Box = { x, y, w: w ?? NODE_WIDTH, h: h ?? 0 };
    if (shape && isRegion(shape, id, scene)) {
      if (w === undefined || !h) {
        box = { x, y, w: REGION_MIN_WIDTH, h: regionTop(shape) + REGION_INSIDE };
        for (const child of depth < 64 ? (children(body).get(id) ?? []) : []) {
          const inner = boxOf(child, depth + 1);
          const top = regionTop(shape) + REGION_PAD;
          const grown = { w: inner.w + 2 * REGION_PAD, h: inner.h + top + REGION_PAD };
          box = bounds([box, { x: inner.x - REGION_PAD, y: inner.y - top, ...grown }]);
        }
      }
    } else if (shape) {
      const size = scene.sizes.get(id) ?? estimateSize(shape, w ?? NODE_WIDTH);
      box = body.nodes[id]?.type === "flow.reroute" ? { x, y, w: REROUTE, h: REROUTE } : { x, y, ...size };
    }
    boxes.set(id, box);
    return box;
  };
  for (const id of Object.keys(body.nodes)) boxOf(id, 0);
  return boxes;
}

export type WireLabel = (source: string, target: string, type: string) => string;

/** The wires of one body. A wire is known by its target, as in the file. */
export function flowEdges(scene: Scene, label: WireLabel): WireEdge[] {
  const { graph, path, specs, check } = scene;
  const body = bodyAt(graph, path);
  const edges: WireEdge[] = [];
  for (const [target, source] of Object.entries(body.edges)) {
    const [from, to] = [splitSource(source), splitTarget(target)];
    const [a, b] = [body.nodes[from.node], body.nodes[to.node]];
    if (!a || !b) continue;
    const shape = shapeOf(graph, path, from.node, specs, check);
    const port = [...shape.outputs, ...shape.entries].find((one) => one.name === from.port);
    const type = port?.type ?? "any";
    const info = typeInfo(specs, type);
    const exit = shapeOf(graph, path, to.node, specs, check).exits.some((one) => one.name === to.port);
    const depth = Math.max(
      regionChain(body, from.node).length + (port?.side === "entry" ? 1 : 0),
      regionChain(body, to.node).length + (exit ? 1 : 0),
    );
    edges.push({
      id: target,
      type: "wire",
      zIndex: LAYER.region * Math.min(depth, DEEPEST) - 1,
      source: from.node,
      sourceHandle: from.port,
      target: to.node,
      targetHandle: to.port,
      data: {
        source,
        type,
        color: info?.color,
        shape: info?.shape ?? "circle",
        index: to.index,
        muted: a.mode !== undefined || b.mode !== undefined,
        label: label(source, target, type),
      },
    });
  }
  return edges;
}
