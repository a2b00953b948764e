import { bodyAt } from "../graph/body";
import { useSession } from "../state/session";
import { currentDoc, currentPath } from "../state/tabs";
import { FRAME, isExtra, NOTE } from "./flow";
import { setExtras, useCanvas } from "./store";

/** Selected nodes that are there. */
export function selectedNodes(): string[] {
  const { nodes } = bodyAt(currentDoc().getState().graph, currentPath());
  return [...useSession.getState().selection].filter((id) => Object.hasOwn(nodes, id));
}

/** Selected frames and notes, by their ids in the drawing. */
export function selectedExtras(): string[] {
  return [...useCanvas.getState().extras];
}

/** Selected nodes, frames and notes. */
export function selectedAll(): string[] {
  return [...selectedNodes(), ...selectedExtras()];
}

export function selectOnly(ids: Iterable<string>): void {
  const all = [...ids];
  useSession.getState().setSelection(all.filter((id) => !isExtra(id)));
  setExtras(all.filter(isExtra));
}

/**
 * Nodes chosen elsewhere (the outline, a jump) are chosen alone: no frame stays selected beside them, to be deleted with
 * them unseen. Returns the way to stop.
 */
export function followSelection(): () => void {
  return useSession.subscribe(({ selection }, { selection: before }) => {
    const same = selection.size === before.size && [...selection].every((id) => before.has(id));
    if (!same) setExtras([]);
  });
}

export function selectAll(): void {
  const { nodes, view } = bodyAt(currentDoc().getState().graph, currentPath());
  selectOnly([
    ...Object.keys(nodes),
    ...(view.frames ?? []).map((frame) => FRAME + frame.id),
    ...(view.notes ?? []).map((note) => NOTE + note.id),
  ]);
}

/** Make sure that what was right-clicked is what the menu is about. */
export function selectForMenu(id: string): void {
  if (!selectedAll().includes(id)) selectOnly([id]);
}
