import type { DragEvent } from "react";
import { NODE_DRAG } from "../panels/drag";
import { insertNode } from "../shell/addNode";
import { isReadOnly } from "./edit";
import { currentFlow, regionAt } from "./stage";
import { useCanvas } from "./store";

export function onDragOver(event: DragEvent): void {
  if (isReadOnly()) return;
  const node = event.dataTransfer.types.includes(NODE_DRAG);
  if (!node && !event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "copy";
  if (!node) return;
  const at = currentFlow()?.screenToFlowPosition({ x: event.clientX, y: event.clientY });
  const region = at ? regionAt(at.x, at.y) : null;
  const wire = wireUnder(event);
  const { dropRegion, dropWire } = useCanvas.getState();
  if (region !== dropRegion || wire !== dropWire) useCanvas.setState({ dropRegion: region, dropWire: wire });
}

export function onDragLeave(): void {
  useCanvas.setState({ dropRegion: null, dropWire: null });
}

/** A node type out of the palette, or files of the machine. */
export function onDrop(event: DragEvent): void {
  const { dropWire } = useCanvas.getState();
  onDragLeave();
  const flow = currentFlow();
  if (!flow || isReadOnly()) return;
  const { x, y } = flow.screenToFlowPosition({ x: event.clientX, y: event.clientY });
  const type = event.dataTransfer.getData(NODE_DRAG);
  const canvas: [number, number] = [Math.round(x - 40), Math.round(y - 15)];
  if (type) {
    event.preventDefault();
    const place = { canvas, inside: regionAt(x, y) };
    // A type that does not fit the wire is added all the same, beside it.
    if (dropWire === null || insertNode(type, { ...place, splice: dropWire }) === null) insertNode(type, place);
    return;
  }
  const files = [...event.dataTransfer.files];
  if (files.length === 0) return;
  event.preventDefault();
  void import("./clips").then((clips) => clips.takeFiles(files, canvas));
}

function wireUnder(event: DragEvent): string | null {
  for (const element of document.elementsFromPoint(event.clientX, event.clientY)) {
    const id = element.closest<HTMLElement>(".react-flow__edge")?.dataset.id;
    if (id !== undefined) return id;
  }
  return null;
}
