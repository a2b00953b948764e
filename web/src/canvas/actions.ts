import { bodyAt, ownerOf } from "../graph/body";
import { addFrame, addNote, editFrame, editNote, removeFrame, removeNote } from "../graph/edit/annotations";
import { moveInto, removeNodes, setMode } from "../graph/edit/nodes";
import { placeNodes, resetSize, resizeNode } from "../graph/edit/places";
import { addReroute } from "../graph/edit/splice";
import { disconnect } from "../graph/edit/wires";
import { type Box, bounds, type Size } from "../graph/geometry";
import i18n from "../i18n";
import { attempt } from "../shell/report";
import { usePreferences } from "../state/preferences";
import { useSession } from "../state/session";
import { currentDoc, currentPath } from "../state/tabs";
import { announce } from "../ui";
import { labelOf } from "../widgets/label";
import { type Align, type Axis, align, distribute } from "./align";
import type { Colour } from "./colours";
import { connectContext } from "./connecting";
import { shifted } from "./dragging";
import { edit } from "./edit";
import { FRAME, isExtra, NOTE } from "./flow";
import { HEADER, NODE_WIDTH, REGION_PAD, regionTop } from "./geometry";
import { selectedAll, selectedExtras, selectedNodes, selectOnly } from "./selection";
import { boxOf, currentFlow, fitAll, focusCanvas, middleOfView } from "./stage";
import { useCanvas } from "./store";

function body() {
  return bodyAt(currentDoc().getState().graph, currentPath());
}

/** Delete what is selected; with `keepWires` what passed through the nodes stays wired. */
export function remove(keepWires: boolean): void {
  const nodes = selectedNodes();
  const extras = selectedExtras();
  const wires = [...useSession.getState().selectedEdges];
  const context = connectContext();
  const done = edit("canvas.edit.delete", (graph, path) => {
    let next = wires.length > 0 ? disconnect(graph, path, wires) : graph;
    if (nodes.length > 0) {
      next = removeNodes(next, path, nodes, keepWires && context ? { keepWires: true, ...context } : {});
    }
    for (const id of extras) {
      next = id.startsWith(FRAME)
        ? removeFrame(next, path, id.slice(FRAME.length))
        : removeNote(next, path, id.slice(NOTE.length));
    }
    return next;
  });
  if (!done) return;
  announce(i18n.t("canvas.say.deleted", { count: nodes.length + extras.length + wires.length }));
  selectOnly([]);
  useSession.getState().setSelection([]);
  focusCanvas();
}

/** Where the pointer last was on the canvas: what is pasted by key lands there. */
let pointer: [number, number] | null = null;
export function rememberPointer(at: [number, number] | null): void {
  pointer = at;
}
export function lastPointer(): [number, number] | null {
  return pointer;
}

/** Mute or bypass; if all of the selection is so already, undo it. */
export function toggleMode(mode: "mute" | "bypass"): void {
  const nodes = selectedNodes();
  const all = nodes.every((id) => body().nodes[id]?.mode === mode);
  const specs = connectContext()?.specs;
  edit(mode === "mute" ? "canvas.edit.mute" : "canvas.edit.bypass", (graph, path) =>
    setMode(graph, path, nodes, all ? null : mode, specs),
  );
}

/** Fold nodes to their titles, or unfold them; the file knows it by their height. */
export function toggleCollapsed(): void {
  const cards = selectedNodes().filter((id) => currentFlow()?.getNode(id)?.type === "card");
  const places = body().view.nodes ?? {};
  const folded = (id: string) => (places[id]?.[3] ?? HEADER + 1) <= HEADER;
  const open = cards.every(folded);
  edit("canvas.edit.fold", (graph, path) => {
    let next = graph;
    for (const id of cards) {
      const [x, y, w] = [places[id]?.[0] ?? 0, places[id]?.[1] ?? 0, places[id]?.[2] ?? NODE_WIDTH];
      next = open ? resetSize(next, path, id) : resizeNode(next, path, id, [x, y, w, HEADER]);
    }
    return next;
  });
}

export function fitRegion(id: string): void {
  edit("canvas.edit.resize", (graph, path) => resetSize(graph, path, id));
}

export function takeOut(): void {
  edit("canvas.edit.region", (graph, path) => moveInto(graph, path, selectedNodes(), null));
}

/** Put what is selected into a subgraph, after the question which of its settings stay in sight. */
export async function toSubgraph(): Promise<void> {
  const { collapse, settingsIn } = await import("../graph/edit/collapse");
  const context = connectContext();
  const nodes = selectedNodes();
  const options = { name: "subgraph", specs: context?.specs };
  const [doc, path] = [currentDoc(), currentPath()];
  let made: string | null = null;
  const go = (promote: readonly string[]): void => {
    edit("canvas.edit.subgraph", (graph) => {
      const result = collapse(graph, path, nodes, { ...options, promote });
      made = result.instance;
      return result.graph;
    });
  };
  const settings = context ? settingsIn(doc.getState().graph, path, nodes, context.specs) : [];
  if (settings.length === 0) go([]);
  else {
    const answer = await useSession.getState().openDialog("collapse", {
      settings: settings.map(({ node, title, view }) => ({
        address: `${node}.${view.name}`,
        node: title,
        label: view.label ?? labelOf(view.name),
        value: view.value,
        usual: view.widget.primary === true || !view.isDefault,
      })),
    });
    if (answer && currentDoc() === doc) go(answer.promote);
  }
  if (made === null) return;
  selectOnly([made]);
  useCanvas.setState({ editing: made });
}

export async function expandSubgraph(id: string): Promise<void> {
  const { expand } = await import("../graph/edit/expand");
  let ids: string[] = [];
  const specs = connectContext()?.specs;
  edit("canvas.edit.expand", (graph, path) => {
    const result = expand(graph, path, id, { specs });
    ids = result.ids;
    return result.graph;
  });
  selectOnly(ids);
}

/** A frame around what is selected, or around nothing in the middle of the view. */
export function frameSelection(at?: [number, number]): void {
  const box = bounds(selectedAll().flatMap((id) => boxOf(id) ?? []));
  const [x, y] = at ?? middleOfView();
  const area: [number, number, number, number] = box
    ? [box.x - 24, box.y - 56, box.w + 48, box.h + 80]
    : [x, y, 360, 220];
  let made: string | null = null;
  edit("canvas.edit.frame", (graph, path) => {
    const result = addFrame(graph, path, { at: area, title: i18n.t("canvas.frame.untitled") });
    made = result.id;
    return result.graph;
  });
  if (made !== null) editExtra(FRAME + made);
}

export function addNoteAt(at: [number, number] = middleOfView()): void {
  let made: string | null = null;
  edit("canvas.edit.note", (graph, path) => {
    const result = addNote(graph, path, { at: [at[0], at[1], 240, 140] });
    made = result.id;
    return result.graph;
  });
  if (made !== null) editExtra(NOTE + made);
}

function editExtra(id: string): void {
  selectOnly([id]);
  useCanvas.setState({ editing: id });
}

export function colourExtras(color: Colour): void {
  edit("canvas.edit.colour", (graph, path) => {
    let next = graph;
    for (const id of selectedExtras()) {
      next = id.startsWith(FRAME)
        ? editFrame(next, path, id.slice(FRAME.length), { color })
        : editNote(next, path, id.slice(NOTE.length), { color });
    }
    return next;
  });
}

export function rename(): void {
  const [only, more] = selectedAll();
  if (only !== undefined && more === undefined) useCanvas.setState({ editing: only });
}

function arrange(label: string, places: (boxes: Map<string, Box>) => Map<string, [number, number]>): void {
  const closed = new Set(selectedNodes());
  const boxes = new Map<string, Box>();
  for (const id of selectedAll()) {
    const box = boxOf(id);
    // What lies in a selected region goes with it.
    if (box && !closed.has(body().nodes[id]?.in ?? "")) boxes.set(id, box);
  }
  const shifts = new Map<string, [number, number]>();
  for (const [id, [x, y]] of places(boxes)) {
    const box = boxes.get(id);
    if (box) shifts.set(id, [x - box.x, y - box.y]);
  }
  edit(label, (graph, path) => shifted(graph, path, shifts, boxes));
}

export function alignSelection(how: Align): void {
  arrange("canvas.edit.align", (boxes) => align(boxes, how));
}

export function distributeSelection(axis: Axis): void {
  arrange("canvas.edit.distribute", (boxes) => distribute(boxes, axis));
}

/** Move what is selected by arrow keys; presses that follow quickly are one step of undo. */
export function nudge(dx: number, dy: number, far: boolean): void {
  const { snap, grid } = usePreferences.getState();
  const step = far ? 40 : snap ? grid : 8;
  const closed = new Set(selectedNodes());
  const ids = selectedAll().filter((id) => !closed.has(body().nodes[id]?.in ?? ""));
  const shifts = new Map(ids.map((id) => [id, [dx * step, dy * step] as [number, number]]));
  const boxes = new Map(
    ids.flatMap((id) => [[id, boxOf(id)] as const]).filter((one): one is [string, Box] => one[1] !== null),
  );
  edit("canvas.edit.move", (graph, path) => shifted(graph, path, shifts, boxes), `nudge:${ids.join()}`);
}

/** Order the selection, or everything, from left to right along its wires. */
export async function autoLayout(): Promise<void> {
  const flow = currentFlow();
  if (!flow) return;
  const chosen = selectedNodes();
  const sizes = new Map<string, Size>();
  for (const node of flow.getNodes()) {
    const box = isExtra(node.id) ? null : boxOf(node.id);
    if (box) sizes.set(node.id, { w: box.w, h: box.h });
  }
  const path = currentPath();
  const { graph } = currentDoc().getState();
  await attempt(async () => {
    const padding = (owner: string) => ({ side: REGION_PAD, top: topOf(owner) + REGION_PAD, bottom: REGION_PAD });
    const { layout } = await import("../graph/layout");
    const places = await layout(graph, path, chosen.length > 1 ? chosen : null, sizes, { padding });
    edit("canvas.edit.layout", (now, where) => placeNodes(now, where, places));
  });
  requestAnimationFrame(() => fitAll(250));
}

function topOf(owner: string): number {
  const node = currentFlow()?.getNode(owner);
  return node?.type === "region" ? regionTop(node.data.shape) : HEADER;
}

export function removeWires(targets: readonly string[]): void {
  edit("canvas.edit.disconnect", (graph, path) => disconnect(graph, path, targets));
  useSession.getState().setSelection(useSession.getState().selection);
}

export function rerouteWire(target: string, at: [number, number]): void {
  const context = connectContext();
  if (!context) return;
  let made: string | null = null;
  edit("canvas.edit.reroute", (graph, path) => {
    const result = addReroute(graph, path, target, [at[0] - 12, at[1] - 12], context);
    made = result.id;
    return result.graph;
  });
  if (made !== null) selectOnly([made]);
}

/** Search for a node to put on a wire. */
export function addOnWire(target: string, screen: { x: number; y: number }, at: [number, number]): void {
  useSession.getState().openSearch({
    at: [screen.x, screen.y],
    canvas: [Math.round(at[0] - NODE_WIDTH / 2), Math.round(at[1] - 40)],
    splice: target,
    inside: body().nodes[ownerOf(target)]?.in ?? null,
  });
}
