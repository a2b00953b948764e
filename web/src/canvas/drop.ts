import type { DragEvent } from "react";
import { api } from "../api/client";
import { bodyAt } from "../graph/body";
import { setSetting } from "../graph/edit/settings";
import { NODE_DRAG } from "../panels/drag";
import { insertNode } from "../shell/addNode";
import { attempt } from "../shell/report";
import { useSpecs } from "../state/specs";
import { currentDoc, currentPath } from "../state/tabs";
import { edit, isReadOnly } from "./edit";
import { currentFlow, regionAt } from "./stage";
import { useCanvas } from "./store";

/** Pictures that carry no graph; a PNG may, and goes the way of graph files. */
const PICTURE = /^image\/(jpeg|webp|bmp|gif)$/;
/** The node that reads a picture of the workspace. */
const READER = "image.load";

function pictures(event: DragEvent): boolean {
  const items = [...event.dataTransfer.items].filter((item) => item.kind === "file");
  return items.length > 0 && items.every((item) => PICTURE.test(item.type));
}

export function onDragOver(event: DragEvent): void {
  if (isReadOnly()) return;
  const node = event.dataTransfer.types.includes(NODE_DRAG);
  if (!node && !pictures(event)) return;
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

/** A node type out of the palette, or pictures of the machine. Graph files go on to the page, which imports them. */
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
  if (files.length === 0 || !files.every((file) => PICTURE.test(file.type))) return;
  event.preventDefault();
  void attempt(() => addPictures(files, canvas));
}

/** Upload pictures and put a reader of each on the canvas. */
async function addPictures(files: readonly File[], [x, y]: [number, number]): Promise<void> {
  for (const [place, file] of files.entries()) {
    const { uri } = await api.upload("data", [file]);
    const id = insertNode(READER, { canvas: [x, y + place * 140], inside: regionAt(x, y) });
    const setting = readerSetting();
    if (
      id !== null &&
      setting !== null &&
      Object.hasOwn(bodyAt(currentDoc().getState().graph, currentPath()).nodes, id)
    ) {
      edit("canvas.edit.picture", (graph, path) => setSetting(graph, path, id, setting, uri));
    }
  }
}

/** The setting of the reader that names the file. */
function readerSetting(): string | null {
  const properties = useSpecs.getState().index?.byId.get(READER)?.schema.properties ?? {};
  const found = Object.entries(properties).find(([, schema]) => schema["x-widget"]?.kind === "path");
  return found?.[0] ?? null;
}

function wireUnder(event: DragEvent): string | null {
  for (const element of document.elementsFromPoint(event.clientX, event.clientY)) {
    const id = element.closest<HTMLElement>(".react-flow__edge")?.dataset.id;
    if (id !== undefined) return id;
  }
  return null;
}
