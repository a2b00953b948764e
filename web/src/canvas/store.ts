import { create } from "zustand";

type MenuKind = "node" | "edge" | "pane" | "selection" | "extra";

/** An open context menu. */
export interface CanvasMenu {
  kind: MenuKind;
  /** Pixels of the window. */
  at: { x: number; y: number };
  /** Canvas units. */
  canvas: [number, number];
  /** Node, wire (its target), frame or note; on empty canvas the region there, or "". */
  id: string;
}

/** A wire that is being drawn by mouse. */
export interface Connecting {
  /** The held end: "node.port". */
  address: string;
  side: "source" | "target";
  type: string;
  /** What the free end is looked for by: of a target its type as declared, variables and all. */
  wanted: string;
  /** Addresses that may take the free end. */
  legal: ReadonlySet<string>;
  /** Ports for bundles ("node.port") whose parts come into sight, for one of them may take it. */
  opens: readonly string[];
  /** The wire (its target) whose end was picked up. */
  edge: string | null;
}

/** Choosing the other end of a wire by keyboard, or the port of a node on which a wire was dropped. */
export interface Chooser {
  /** The held end; null: first one of the ports of `node` is chosen. */
  from: string | null;
  side: "source" | "target";
  /** Only ports of this node. */
  node: string | null;
  /** The wire that is moved. */
  edge: string | null;
  at: { x: number; y: number };
}

interface CanvasStore {
  menu: CanvasMenu | null;
  connecting: Connecting | null;
  /** Why the port under the pointer does not take the wire. */
  hint: { text: string; x: number; y: number } | null;
  chooser: Chooser | null;
  /** Region that the dragged nodes would fall into. */
  dropRegion: string | null;
  /** Wire that the dragged node would be spliced into. */
  dropWire: string | null;
  hoverWire: string | null;
  /** The port that has the keyboard: "node.port". */
  port: string | null;
  /** Selected frames and notes. */
  extras: ReadonlySet<string>;
  /** Node, frame or note whose text is being written. */
  editing: string | null;
  /** Rises when a drag is over: the drawing takes its places from the document again. */
  settled: number;
}

/** What goes on on the canvas right now: never saved, never undone, forgotten when another body is shown. */
export const useCanvas = create<CanvasStore>()(() => ({
  menu: null,
  connecting: null,
  hint: null,
  chooser: null,
  dropRegion: null,
  dropWire: null,
  hoverWire: null,
  port: null,
  extras: new Set(),
  editing: null,
  settled: 0,
}));

export function forgetCanvas(): void {
  useCanvas.setState(useCanvas.getInitialState());
}

export function openMenu(menu: CanvasMenu): void {
  useCanvas.setState({ menu, hint: null });
}

export function setExtras(ids: Iterable<string>): void {
  const next = new Set(ids);
  const { extras } = useCanvas.getState();
  if (next.size !== extras.size || [...next].some((id) => !extras.has(id))) useCanvas.setState({ extras: next });
}

/** How a port takes part in the wire that is being drawn; a string, so that only ports whose part changes are drawn. */
export function usePortPart(address: string): "idle" | "held" | "legal" | "illegal" {
  return useCanvas(({ connecting }) => {
    if (!connecting) return "idle";
    if (connecting.address === address) return "held";
    return connecting.legal.has(address) ? "legal" : "illegal";
  });
}

let leaving = 0;

/** The pointer is over a wire; leaving waits a moment, so that it can go on to the button in the middle. */
export function hoverWire(id: string | null): void {
  window.clearTimeout(leaving);
  if (id !== null) useCanvas.setState({ hoverWire: id });
  else leaving = window.setTimeout(() => useCanvas.setState({ hoverWire: null }), 220);
}
