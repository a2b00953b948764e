import type { GraphFile } from "../api/schema";
import type { BodyPath } from "../graph/body";
import { currentDoc, currentPath } from "../state/tabs";

/** One step of undo in the body that is shown; `label` is a key of the language files. False: it was refused. */
export function edit(label: string, change: (graph: GraphFile, path: BodyPath) => GraphFile, group?: string): boolean {
  const path = currentPath();
  return currentDoc().edit(label, (graph) => change(graph, path), group);
}

export function isReadOnly(): boolean {
  return currentDoc().getState().readOnly;
}
