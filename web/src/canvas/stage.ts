import type { ReactFlowInstance } from "@xyflow/react";
import type { Box } from "../graph/geometry";
import { usePreferences } from "../state/preferences";
import type { FlowNode, WireEdge } from "./flow";
import { contains } from "./geometry";

export type Flow = ReactFlowInstance<FlowNode, WireEdge>;

interface Stage {
  flow: Flow;
  element: HTMLElement;
}
let stage: Stage | null = null;

/** The canvas that is shown, for commands; called when it appears and, with null, when it goes. */
export function setStage(next: Stage | null): void {
  stage = next;
}

export function currentFlow(): Flow | null {
  return stage?.flow ?? null;
}

/** Where the keyboard is: on the canvas, or nowhere in particular. */
export function canvasHasFocus(): boolean {
  const active = document.activeElement;
  return stage !== null && (active === null || active === document.body || stage.element.contains(active));
}

/** The box of a node as it is drawn now. */
export function boxOf(id: string): Box | null {
  const node = stage?.flow.getInternalNode(id);
  if (!node) return null;
  const { x, y } = node.internals.positionAbsolute;
  return { x, y, w: node.measured.width ?? node.width ?? 0, h: node.measured.height ?? node.height ?? 0 };
}

/** The innermost region at a point, leaving out the given nodes and what lies in them. */
export function regionAt(x: number, y: number, without: ReadonlySet<string> = new Set()): string | null {
  let found: { id: string; area: number } | null = null;
  for (const node of stage?.flow.getNodes() ?? []) {
    if (node.type !== "region" || without.has(node.id)) continue;
    const box = boxOf(node.id);
    if (!box || !contains(box, x, y)) continue;
    const area = box.w * box.h;
    if (!found || area < found.area) found = { id: node.id, area };
  }
  return found?.id ?? null;
}

/** Is any of a box to be seen? */
export function inSight(box: Box): boolean {
  const frame = stage?.element.getBoundingClientRect();
  if (!stage || !frame) return false;
  const start = stage.flow.screenToFlowPosition({ x: frame.left, y: frame.top });
  const end = stage.flow.screenToFlowPosition({ x: frame.right, y: frame.bottom });
  return box.x + box.w > start.x && box.y + box.h > start.y && box.x < end.x && box.y < end.y;
}

/** The point of the canvas in the middle of what is in sight. */
export function middleOfView(): [number, number] {
  const box = stage?.element.getBoundingClientRect();
  if (!stage || !box) return [0, 0];
  const at = stage.flow.screenToFlowPosition({ x: box.left + box.width / 2, y: box.top + box.height / 2 });
  return [Math.round(at.x), Math.round(at.y)];
}

/** A point of the canvas in pixels of the window. */
export function toScreen(x: number, y: number): { x: number; y: number } {
  return stage?.flow.flowToScreenPosition({ x, y }) ?? { x: 0, y: 0 };
}

/** Give the keyboard to a node, or to one of its ports. */
export function focusElement(node: string, port?: string): void {
  const card = stage?.element.querySelector<HTMLElement>(`.react-flow__node[data-id="${CSS.escape(node)}"]`);
  const mark = port === undefined ? null : card?.querySelector<HTMLElement>(`[data-port="${CSS.escape(port)}"]`);
  (mark ?? card)?.focus({ preventScroll: true });
}

export function focusCanvas(): void {
  stage?.element.focus({ preventScroll: true });
}

/** Room of the map and of its margin, where it is shown. */
const MAP = 140;

/** Bring everything into view; not under the map. */
export function fitAll(duration = 200): void {
  const bottom = usePreferences.getState().minimap ? MAP : 28;
  const padding = { top: "40px", right: "28px", left: "28px", bottom: `${bottom}px` } as const;
  void stage?.flow.fitView({ duration: motion(duration), padding, maxZoom: 1 });
}

/** Motion only for those who want it. */
export function motion(duration: number): number {
  return window.matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : duration;
}
