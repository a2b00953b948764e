import { bodyAt, flatId, splitSource } from "../graph/body";
import { wholeOf } from "../graph/parts";
import { shapeOf } from "../graph/ports";
import { useSession } from "../state/session";
import { currentDoc, currentPath, currentTab, useTabs } from "../state/tabs";
import { connectContext } from "./connecting";
import type { CardNode } from "./flow";
import { selectedNodes, selectOnly } from "./selection";
import { boxOf, currentFlow, focusElement, motion, toScreen } from "./stage";
import { useCanvas } from "./store";
import { nextPort, portOrder, type Way, walk } from "./walk";

/** The node that keys are about: the one with the focus, else the one that is selected. */
export function nodeAtKeys(): string | null {
  const focused = document.activeElement?.closest<HTMLElement>(".react-flow__node")?.dataset.id;
  const { nodes } = bodyAt(currentDoc().getState().graph, currentPath());
  if (focused !== undefined && Object.hasOwn(nodes, focused)) return focused;
  return selectedNodes().at(-1) ?? null;
}

/** Bring a node into sight without changing the zoom, and give it the keyboard. */
function goTo(id: string): void {
  selectOnly([id]);
  reveal(id);
  // The node may only come into the page when it comes into sight.
  requestAnimationFrame(() => requestAnimationFrame(() => focusElement(id)));
}

export function reveal(id: string, zoom?: number): void {
  const flow = currentFlow();
  const box = boxOf(id);
  if (!flow || !box) return;
  const tall = Math.min(box.h, 400);
  void flow.setCenter(box.x + box.w / 2, box.y + tall / 2, {
    zoom: zoom ?? Math.max(flow.getZoom(), 0.5),
    duration: motion(200),
  });
}

/** Open the parts of a bundle where the port that somebody wants to see is one of them, out of sight. */
export function showPart(node: string, port: string | undefined): void {
  const context = connectContext();
  const path = currentPath();
  const { graph } = currentDoc().getState();
  if (port === undefined || !context || !Object.hasOwn(bodyAt(graph, path).nodes, node)) return;
  const whole = wholeOf(shapeOf(graph, path, node, context.specs, context.check), node, port);
  if (whole === null || currentTab().parts.includes(flatId(path, whole))) return;
  useTabs.getState().toggleParts(flatId(path, whole));
}

export function walkTo(way: Way): void {
  const here = nodeAtKeys();
  const body = bodyAt(currentDoc().getState().graph, currentPath());
  const placeOf = (id: string) => {
    const [x = 0, y = 0] = body.view.nodes?.[id] ?? [];
    return boxOf(id) ?? { x, y };
  };
  const next = here === null ? (Object.keys(body.nodes)[0] ?? null) : walk(body, here, way, placeOf);
  if (next !== null) goTo(next);
}

export function cyclePort(step: 1 | -1): void {
  const node = nodeAtKeys();
  const card = node === null ? undefined : (currentFlow()?.getNode(node) as CardNode | undefined);
  if (node === null || !card) return;
  const current = useCanvas.getState().port;
  const next = nextPort(portOrder(card.data.shape, node), current, step);
  if (next !== null) focusElement(node, next);
}

/** Choose the other end of a wire from a list: of the port with the focus, else of a port of the node. */
export function connectByKeys(): void {
  const { port } = useCanvas.getState();
  const mark = port === null ? null : document.activeElement;
  if (port !== null && mark instanceof HTMLElement) {
    const box = mark.getBoundingClientRect();
    const side = mark.classList.contains("source") ? "source" : "target";
    const at = { x: box.right, y: box.bottom };
    useCanvas.setState({ chooser: { from: port, side, node: null, edge: null, at } });
    return;
  }
  const node = nodeAtKeys();
  const box = node === null ? null : boxOf(node);
  if (node === null || !box) return;
  const at = toScreen(box.x + box.w, box.y);
  useCanvas.setState({ chooser: { from: null, side: "source", node, edge: null, at } });
}

/** Show the settings of a node in the inspector and go to one of them, else to the first. */
export function openSettings(node: string | null = nodeAtKeys(), setting?: string): void {
  if (node === null) return;
  selectOnly([node]);
  useSession.setState({ right: { open: true } });
  requestAnimationFrame(() => {
    const panel = document.querySelector('[data-region="right"]');
    const row = setting === undefined ? "[data-setting]" : `[data-setting="${CSS.escape(`${node}.${setting}`)}"]`;
    const field = panel?.querySelector<HTMLElement>(`${row} :is(input, textarea, [role="combobox"], [role="switch"])`);
    field?.scrollIntoView({ block: "nearest" });
    (field ?? (panel as HTMLElement | null))?.focus();
  });
}

/** Esc: first what is under way, then the selection, then out of the subgraph. */
export function leave(): void {
  const { selection, selectedEdges, setSelection } = useSession.getState();
  const { extras, port } = useCanvas.getState();
  if (port !== null) focusElement(splitSource(port).node);
  else if (selection.size + selectedEdges.size + extras.size > 0) {
    setSelection([]);
    selectOnly([]);
  } else goUp();
}

export function goUp(): void {
  const path = currentPath();
  const instance = path.at(-1);
  if (instance === undefined) return;
  useTabs.getState().setPath(path.slice(0, -1));
  requestAnimationFrame(() => selectOnly([instance]));
}
