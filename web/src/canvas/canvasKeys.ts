import type { FocusEvent, KeyboardEvent } from "react";
import { useSession } from "../state/session";
import { nudge } from "./actions";
import { reveal } from "./keyboard";
import { selectedAll, selectOnly } from "./selection";
import { boxOf, inSight } from "./stage";

const ARROWS: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/**
 * What keys do on a node or a wire that has the focus: arrows move, space selects. React Flow's own handling is off: it
 * takes Enter with any modifier for a selection, and moves nodes past the undo history. Everything else is a command.
 */
export function canvasKeys(event: KeyboardEvent, readOnly: boolean): void {
  const { target } = event;
  if (!(target instanceof Element) || event.nativeEvent.isComposing) return;
  const arrow = ARROWS[event.key];
  const plain = !event.altKey && !event.ctrlKey && !event.metaKey;
  if (
    arrow &&
    plain &&
    !readOnly &&
    target.matches(".react-flow, .react-flow__node, .react-flow__nodesselection-rect")
  ) {
    if (selectedAll().length === 0) return;
    event.preventDefault();
    nudge(arrow[0], arrow[1], event.shiftKey);
    return;
  }
  const node = target.matches(".react-flow__node") ? (target as HTMLElement).dataset.id : undefined;
  const wire = target.matches(".react-flow__edge") ? (target as SVGElement).dataset.id : undefined;
  if (node !== undefined && event.key === " ") {
    event.preventDefault();
    const chosen = new Set(event.shiftKey || event.ctrlKey ? selectedAll() : []);
    if (!chosen.delete(node)) chosen.add(node);
    selectOnly(chosen);
  } else if (wire !== undefined && (event.key === " " || event.key === "Enter") && plain) {
    event.preventDefault();
    event.stopPropagation();
    useSession.getState().setSelection([], [wire]);
  }
}

/** A node that gets the focus by keyboard comes into sight. */
export function showFocused({ target }: FocusEvent): void {
  if (!(target instanceof HTMLElement) || !target.matches(".react-flow__node:focus-visible")) return;
  const id = target.dataset.id;
  const box = id === undefined ? null : boxOf(id);
  if (id !== undefined && box && !inSight(box)) reveal(id);
}
