import { applyNodeChanges, type EdgeChange, type NodeChange } from "@xyflow/react";
import { useCallback, useLayoutEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { GraphFile } from "../api/schema";
import { type BodyPath, flatId, ownerOf } from "../graph/body";
import type { Size } from "../graph/geometry";
import type { SpecIndex } from "../graph/specs";
import { problemsOf, useCheck } from "../state/check";
import { useSession } from "../state/session";
import { useParts } from "../state/tabs";
import { type CardNode, type FlowNode, flowEdges, flowNodes, isExtra, type Scene, type WireEdge } from "./flow";
import { nodeLabel } from "./labels";
import { reconcileEdges, reconcileNodes } from "./reconcile";
import { setExtras, useCanvas } from "./store";

export interface FlowGraph {
  nodes: FlowNode[];
  edges: WireEdge[];
  onNodesChange: (changes: NodeChange<FlowNode>[]) => void;
  onEdgesChange: (changes: EdgeChange<WireEdge>[]) => void;
}

/** The body that is shown, as the drawing wants it: made from the document, plus what only the drawing knows. */
export function useFlowGraph(graph: GraphFile, path: BodyPath, specs: SpecIndex): FlowGraph {
  const { t } = useTranslation();
  const check = useCheck((state) => state.check);
  const selection = useSession((state) => state.selection);
  const selectedEdges = useSession((state) => state.selectedEdges);
  const extras = useCanvas((state) => state.extras);
  const parts = useParts();
  const opens = useCanvas((state) => state.connecting?.opens);
  const sizes = useRef(new Map<string, Size>());
  const [grown, setGrown] = useState(0);

  const scene = useMemo<Scene>(() => {
    void grown; // sizes have changed in place
    const here = flatId(path, "");
    const own = parts.flatMap((port) => (port.startsWith(here) ? port.slice(here.length) : []));
    const opened = new Set([...own, ...(opens ?? [])]);
    return { graph, path, specs, check, sizes: sizes.current, opened, lifted: new Set(opens?.map(ownerOf)) };
  }, [graph, path, specs, check, parts, opens, grown]);
  const derived = useMemo(() => flowNodes(scene), [scene]);
  const labels = useMemo(() => {
    const all = new Map<string, string>();
    for (const node of derived) {
      if (node.type === "frame") all.set(node.id, t("canvas.frame.label", { title: node.data.frame.title }));
      else if (node.type === "note") all.set(node.id, t("canvas.note.label"));
      else all.set(node.id, nodeLabel(t, (node as CardNode).data, problemsOf((node as CardNode).data.flat, check)));
    }
    return all;
  }, [derived, check, t]);
  // React Flow's own keys are off (see `useCanvasKeys`), and with them its link to the description.
  const dom = useMemo(
    () => ({ "aria-describedby": "react-flow__node-desc-1", "aria-roledescription": t("canvas.a11y.role") }),
    [t],
  );
  const wires = useMemo(
    () => flowEdges(scene, (source, target, type) => t("canvas.wire.label", { source, target, type })),
    [scene, t],
  );

  const isSelected = useCallback((id: string) => selection.has(id) || extras.has(id), [selection, extras]);
  const [nodes, setNodes] = useState<FlowNode[]>(() => reconcileNodes([], derived, isSelected, labels, dom));
  const settled = useCanvas((state) => state.settled);
  // Before the next picture: between the edit and its places nothing may jump.
  useLayoutEffect(() => {
    void settled; // a drag is over
    setNodes((before) => reconcileNodes(before, derived, isSelected, labels, dom));
  }, [derived, isSelected, labels, dom, settled]);

  const last = useRef<WireEdge[]>([]);
  const edges = useMemo(() => {
    last.current = reconcileEdges(last.current, wires, (id) => selectedEdges.has(id));
    return last.current;
  }, [wires, selectedEdges]);

  const onNodesChange = useCallback((changes: NodeChange<FlowNode>[]) => {
    let resized = false;
    for (const change of changes) {
      if (change.type !== "dimensions" || !change.dimensions) continue;
      const { width, height } = change.dimensions;
      const known = sizes.current.get(change.id);
      if (known && Math.abs(known.h - height) < 1 && Math.abs(known.w - width) < 1) continue;
      sizes.current.set(change.id, { w: width, h: height });
      resized = true;
    }
    // Regions without a size of their own enclose their nodes as these are drawn.
    if (resized) setGrown((count) => count + 1);
    select(changes);
    const kept = changes.filter((change) => change.type !== "select" && change.type !== "remove");
    if (kept.length > 0) setNodes((before) => applyNodeChanges(kept, before));
  }, []);

  const onEdgesChange = useCallback((changes: EdgeChange<WireEdge>[]) => {
    const { selection: chosen, selectedEdges: before, setSelection } = useSession.getState();
    const next = new Set(before);
    for (const change of changes) {
      if (change.type !== "select") continue;
      if (change.selected) next.add(change.id);
      else next.delete(change.id);
    }
    setSelection(chosen, next);
  }, []);

  return { nodes, edges, onNodesChange, onEdgesChange };
}

/** Selecting by mouse: nodes go to the session, where every panel sees them; frames and notes stay with the canvas. */
function select(changes: NodeChange<FlowNode>[]): void {
  const { selection, selectedEdges, setSelection } = useSession.getState();
  const nodes = new Set(selection);
  const others = new Set(useCanvas.getState().extras);
  let any = false;
  for (const change of changes) {
    if (change.type !== "select") continue;
    any = true;
    const set = isExtra(change.id) ? others : nodes;
    if (change.selected) set.add(change.id);
    else set.delete(change.id);
  }
  if (!any) return;
  setSelection(nodes, selectedEdges);
  setExtras(others);
}
